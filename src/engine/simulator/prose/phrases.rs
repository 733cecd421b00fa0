//! The sentences the prose is woven from. `{s}` is the subject, `{a}` `{b}` `{c}` are words of the request.
//!
//! Invariant: no sentence states a fact about the world; they speak of weighing, checking and doing, so that nobody
//! takes them for knowledge.

/// How an answer opens.
pub(super) const OPENINGS: &[&str] = &[
    "The short version: {s} comes down to how {a} and {b} are kept in balance.",
    "Most of what matters about {s} shows up early, in the way {a} is handled.",
    "Looked at closely, {s} is less one question than three: {a}, {b} and what connects them.",
    "A useful way into {s} is to start from {a} and work outwards.",
    "There is a plain answer for {s}, and a longer one that depends on {a}.",
    "It helps to separate what is settled about {s} from what is still open, above all {a}.",
    "With {s}, the first decision shapes the rest, and the first decision concerns {a}.",
    "Taken step by step, {s} is within reach: {a} first, then {b}.",
];

/// Sentences that fill a paragraph.
pub(super) const BODY: &[&str] = &[
    "The role of {a} is easy to overstate; how the work feels from day to day has more to do with {b}.",
    "With a steady hand on {a}, {b} can be kept simple, and simple is what survives the first busy week.",
    "A small trial with {a} tells more than a long argument about {b}.",
    "It pays to write down what {a} has to guarantee before anybody touches {b}.",
    "Where {a} and {b} pull in different directions, the one that is cheaper to change later should give way.",
    "Nothing here asks for much {c} at the start; it can be added once the numbers call for it.",
    "The weak point is seldom {a} itself but the place where it meets {b}.",
    "One owner for {a} and one for {b} is enough, provided that the boundary between them is written down.",
    "If only one thing is measured, let it be {a} on a day that puts {b} under load.",
    "People tend to notice {c} last, although it is what they complain about first.",
    "That leaves {b}, which rewards patience more than cleverness.",
    "Both readings of {a} are defensible; the stricter one is easier to test.",
    "Doing nothing about {c} is a decision too, and for a first version a reasonable one.",
    "The details of {b} matter less than having exactly one place where they are decided.",
    "What looks like a limit of {a} is often a limit of how {b} was set up.",
    "A week of use would settle the question of {c} better than any estimate.",
    "Seen from the side of {b}, the same picture has fewer moving parts than it seems.",
    "The order matters: {a} before {b}, because the second can be redone cheaply and the first cannot.",
    "Keeping {a} visible, on one page, does more for {c} than another layer would.",
    "There is little to gain from tuning {b} as long as {a} can't be trusted.",
    "In practice most of the time goes into {a}, so that is where a first improvement should land.",
    "This holds as long as {c} stays within what was planned; beyond that the balance shifts.",
];

/// Points of a list, each with a lead and a text.
pub(super) const POINTS: &[(&str, &str)] = &[
    ("Start with {a}", "everything else leans on this part, and it is the cheapest to check."),
    ("Keep {b} boring", "an ordinary choice here leaves attention for the parts that are new."),
    ("Name the limits of {c}", "a limit that is written down is a design; one that is not is a surprise."),
    ("Measure {a} before and after", "without the first number the second one says nothing."),
    ("Separate {a} from {b}", "they change for different reasons and at different times."),
    ("Decide who owns {b}", "shared ownership of it tends to mean none."),
    ("Leave room for {c}", "about a fifth is enough, and taking it away later is easy."),
    ("Test {a} where it meets {b}", "most faults sit on that line, not on either side of it."),
    ("Write down why", "the reason behind {c} is the first thing to be forgotten."),
    ("Make {b} reversible", "a step back costs little on the first day and a great deal on the hundredth."),
    ("Watch {c} for a week", "the pattern shows itself once ordinary use sets in."),
    ("Drop what adds nothing to {a}", "every extra part has to earn its upkeep."),
    ("Agree on words", "not everybody means the same by {a}, or by {b}."),
    ("Begin with less {c}", "more can be added later; taking some away is a project."),
];

/// Headings of the middle of an explanation.
pub(super) const HEADINGS: &[&str] = &[
    "What matters most",
    "How it fits together",
    "Where {a} comes in",
    "The part played by {b}",
    "What to watch",
    "Points worth keeping",
    "From {a} to {b}",
    "Limits and assumptions",
    "In practice",
    "What follows from this",
];

/// How an answer closes.
pub(super) const CLOSINGS: &[&str] = &[
    "**In short:** settle {a} first, keep {b} simple, and look at {c} again once there is something to measure.",
    "**Next step:** one small trial of {a}, with {b} held still, would confirm or overturn most of the above.",
    "**Bottom line:** {s} is worth doing in this order, and worth stopping early if the trial of {a} fails.",
    "**What remains open:** how far {c} can be stretched before {b} needs another look.",
    "**Recommendation:** go ahead with {a}, and come back to {b} with numbers in hand.",
    "**To sum up:** the case for {s} rests on {a}; the rest is detail that can be changed later.",
];

/// Thoughts.
pub(super) const THOUGHTS: &[&str] = &[
    "The request is about {s}, so I should begin with what is actually being asked.",
    "Let me separate {a} from {b}, because they are easy to mix up here.",
    "First {a}: what would have to be true for it to work?",
    "Hmm, {b} could also be read differently; the narrower reading fits better.",
    "I should not assume anything about {c} that was not said.",
    "Checking the other direction: if {b} came first, would the result change?",
    "It would, but only a little, so the order can stay as it is.",
    "A table might help for {a} against {b}, or at least a short list.",
    "What would a careful reader object to? Probably the part about {c}.",
    "Then I had better say where {c} stops being safe.",
    "The length should match the question: not an essay, but not a single line either.",
    "Let me go through it again from the side of {a}.",
    "That is consistent with what was given about {b}.",
    "One more check on {c} before writing.",
    "Good, the structure is clear: opening, the main points on {a}, then what follows.",
    "I can leave the finer points of {b} out unless they change the conclusion.",
    "Is there a simpler way to put it? Yes: {a} decides, the rest adapts.",
    "Now the wording; plain sentences, no claims I can't support.",
];

/// Findings of an analysis or of research: a lead and a text.
pub(super) const FINDINGS: &[(&str, &str)] = &[
    ("Much rests on {a}", "Everything that was looked at leads back to it, directly or over {b}."),
    ("Less is certain about {b} than it seems", "The usual figures assume quiet conditions and little {c}."),
    ("Most accounts leave out {c}", "Where it comes up at all, it does so in passing."),
    ("The effort goes into {b}", "Not because of the size but because of how often something changes there."),
    ("{a} and {c} are linked", "A change to one shows up in the other with a delay."),
    ("The simple form of {a} goes far", "It covers the common case and fails loudly in the rest."),
    ("There is no agreement on {b}", "Two camps describe it in different words and may mean the same."),
    ("Choices about {a} age well", "What was right at the start tends to stay right."),
];

/// Sentences for a synthesis about one result. `{t}` is its title.
pub(super) const MERGE: &[&str] = &[
    "It supplies the ground for the rest: {a} is settled there, and the later parts build on it.",
    "Its main contribution is a clear view of {b}, which the other parts take for granted.",
    "It narrows the question down to {a}, and that is where the answer has to be precise.",
    "Read beside the others it confirms the direction and adds a caution about {c}.",
    "It disagrees in tone rather than in substance; the point about {b} stands.",
    "From it comes the order of work: {a} first, {b} once that holds.",
    "It sets the limits: {c} may grow so far and no further.",
];

/// Two or three sentences to be spoken.
pub(super) const SPOKEN: &[&str] = &[
    "The work on {s} is done, and the answer is a cautious yes. The main point is {a}, with {b} close behind. What is still open is how far {c} can go.",
    "Here is the gist of {s}: begin with {a} and keep {b} simple. Everything else can wait until there are numbers.",
    "On {s}, the parts agree: {a} decides and {b} follows. A short trial would be the sensible next step.",
    "All parts of {s} have come together. In a sentence: {a} first, {b} second, and an eye on {c}.",
];
