//! `baton survives`: what is left when something dies.

use super::args::{Form, Global};
use super::error::Exit;
use super::print::Printer;

/// What survives; the README has the same text.
pub(crate) const TABLE: &str = "\
what          finished   running            edits and  the            what you
happens       results    answers            levels     journal        do
------------  ---------  -----------------  ---------  -------------  ----------
kill -9 of    all kept   what they said is  all kept   whole; a torn  baton
Baton                    kept; asked again             last line is   resume
                                                       set aside
terminal      all kept   go on              all kept   goes on        baton
closed, SSH                                                           attach
dropped
power cut     all but    kept but for the   all that   whole up to    baton
              those of   last 20 ms and a   were       20 ms and a    resume
              the last   sync; asked again  answered   sync before
              20 ms and
              a sync
disk full     kept; in   go on to their     taken, in  waits in       free some
              memory,    end; nothing new   memory:    memory, 8 MiB  space; it
              until it   starts             not yet    at most, also  goes on by
              has room                      durable    at the end     itself
folder read-  as for a   as for a full      as for a   as for a full  make it
only while    full disk  disk               full disk  disk           writable
it runs
folder read-  it does not start: it says why and ends with exit   make it
only before   code 4                                              writable
folder gone   gone with  go on to their     gone with  gone: nothing  restore
              the        end; nothing new   the        is written     the folder
              folder     starts             folder     elsewhere      or start
                                                                      anew

model servers that Baton started, by their lifetime
---------------------------------------------------
session       end with the Baton that started them, whichever way it ended;
              not with a session: the next one of the same console has them
kept          live on, watched and started again by their own supervisor; the
              next Baton finds them, and says so in its journal
a supervisor  its server runs on unwatched and is used; `restart` mends it,
killed        `down` ends it
";

/// What stands below it.
pub(crate) const NOTES: &str = "\
A result is durable at most 20 ms after it came and the time that its disk
takes for a sync (for two, where one takes longer than 20 ms); what is
answered to an operator, and the exit code, wait until it is. \"Asked again\":
an interrupted model request runs again when the session is resumed and is no
failure. With a full disk or a read-only or vanished folder the session pauses
by itself, the list of what needs you says why, and what can't be kept any
more is refused rather than left out in the middle. A session that ends on a
full disk stays until there is room, its answer printed; a signal ends that,
says which records and results are lost, and makes the exit code 4. Should
Baton be killed while records wait in memory, those are lost. What a running
answer had said and what was decided before stays readable in any case with
the journal's folder.
";

/// The table for programs: what happens, then what becomes of finished results, running answers, edits and levels, the
/// journal, and what you do. Where nothing starts, that stands in place of all.
const ROWS: [[&str; 6]; 7] = [
    [
        "kill -9 of Baton",
        "all kept",
        "what they said is kept; asked again",
        "all kept",
        "whole; a torn last line is set aside",
        "baton resume",
    ],
    ["terminal closed, SSH dropped", "all kept", "go on", "all kept", "goes on", "baton attach"],
    [
        "power cut",
        "all but those of the last 20 ms and a sync",
        "kept but for the last 20 ms and a sync; asked again",
        "all that were answered",
        "whole up to 20 ms and a sync before",
        "baton resume",
    ],
    [
        "disk full",
        "kept; in memory, until it has room",
        "go on to their end; nothing new starts",
        "taken, in memory: not yet durable",
        "waits in memory, 8 MiB at most, also at the end",
        "free some space; it goes on by itself",
    ],
    [
        "folder read-only while it runs",
        "as for a full disk",
        "as for a full disk",
        "as for a full disk",
        "as for a full disk",
        "make it writable",
    ],
    [
        "folder read-only before",
        "it does not start: it says why and ends with exit code 4",
        "",
        "",
        "",
        "make it writable",
    ],
    [
        "folder gone",
        "gone with the folder",
        "go on to their end; nothing new starts",
        "gone with the folder",
        "gone: nothing is written elsewhere",
        "restore the folder or start anew",
    ],
];

/// What becomes of servers that Baton started, by their lifetime.
const SERVERS: [[&str; 2]; 3] = [
    [
        "session",
        "end with the Baton that started them, whichever way it ended; not with a session: the next one of the same console \
         has them",
    ],
    [
        "kept",
        "live on, watched and started again by their own supervisor; the next Baton finds them, and says so in its journal",
    ],
    ["a supervisor killed", "its server runs on unwatched and is used; `restart` mends it, `down` ends it"],
];

fn json() -> serde_json::Value {
    let row = |row: &[&str; 6]| {
        let [what, results, answers, edits, journal, you_do] = row;
        serde_json::json!({
            "what_happens": what, "finished_results": results, "running_answers": answers,
            "edits_and_levels": edits, "journal": journal, "what_you_do": you_do,
        })
    };
    let server = |[lifetime, becomes]: &[&str; 2]| serde_json::json!({"lifetime": lifetime, "becomes": becomes});
    serde_json::json!({
        "survives": ROWS.iter().map(row).collect::<Vec<_>>(),
        "servers": SERVERS.iter().map(server).collect::<Vec<_>>(),
        "notes": NOTES.split_whitespace().collect::<Vec<_>>().join(" "),
    })
}

/// Prints it.
pub(crate) fn survives(global: &Global, printer: &mut Printer) -> Exit {
    match global.form() {
        Form::Words => {}
        Form::Json => {
            printer.json(&json());
            return Exit::Done;
        }
        Form::JsonLines => {
            printer.data_line(&json().to_string());
            return Exit::Done;
        }
    }
    printer.data(&format!("What survives\n\n{TABLE}\n{NOTES}"));
    Exit::Done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_what_the_table_says() {
        let words = |text: &str| {
            let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            words.retain(|word| !word.starts_with("---"));
            words.sort();
            words
        };
        let (_, body) = TABLE.split_once("----------\n").unwrap();
        let (rows, servers) = body.split_once("\n\nmodel servers that Baton started, by their lifetime\n").unwrap();
        assert_eq!(words(rows), words(&ROWS.concat().join(" ").replace("read-only", "read- only")));
        assert_eq!(words(servers), words(&SERVERS.concat().join(" ")));
        assert_eq!(json()["survives"][0]["what_you_do"], "baton resume");
    }

    #[test]
    fn the_readme_says_the_same_and_it_fits_any_terminal() {
        let readme = include_str!("../../../README.md");
        let (_, section) = readme.split_once("\n## What survives\n").unwrap();
        let (section, _) = section.split_once("\n## ").unwrap();
        assert!(section.contains(&format!("```text\n{TABLE}```\n")), "the table in README.md is another one");
        assert!(section.contains(NOTES), "the notes in README.md are others");
        for line in TABLE.lines().chain(NOTES.lines()) {
            assert!(line.len() <= 80 && line.is_ascii(), "{line}");
            assert_eq!(line.trim_end(), line);
        }
    }
}
