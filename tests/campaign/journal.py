"""Reads a session's folder without Baton, and says what is wrong with it. `python3 journal.py FOLDER`"""

import glob
import json
import os
import sys


class Journal:
    """What the parts of a journal say, line by line."""

    def __init__(self, folder):
        self.folder = folder
        self.wrong = []
        self.records = []
        self.torn = 0
        self.done = {}  # task -> (record, attempt)
        self.said = {}  # attempt -> its answer
        self.tasks = set()
        self.ended = {}  # attempt -> how its last turn ended
        parts = sorted(glob.glob(os.path.join(folder, "journal-*.jsonl")))
        if os.path.exists(os.path.join(folder, "journal.jsonl")):
            parts.append(os.path.join(folder, "journal.jsonl"))
        for part in parts:
            with open(part, "rb") as file:
                *lines, torn = file.read().split(b"\n")
            if torn and part != parts[-1]:
                self.wrong.append(f"{part} is closed and ends in the middle of a line")
            self.torn = len(torn)
            for line in lines[1:]:
                self.take(line)

    def take(self, line):
        try:
            record = json.loads(line)
        except ValueError:
            return self.wrong.append(f"a line that is no JSON after record {len(self.records)}: {line[:60]!r}")
        seq, at = record["seq"], record["at"]
        if seq != len(self.records) + 1:
            self.wrong.append(f"record {seq} after {len(self.records)}")
        if self.records and at < self.records[-1]["at"]:
            self.wrong.append(f"time goes back at record {seq}")
        self.records.append(record)
        data = record["data"] if isinstance(record["data"], dict) else {}
        task, event = data.get("task"), record["event"]
        if event == "attempt.started":
            self.tasks.add(task)
            if task in self.done:
                self.wrong.append(f"{task} begins at {seq} and was done at {self.done[task][0]}")
        elif event == "attempt.output" and data["channel"] == "answer":
            attempt = data["turn"].split(".")[0]
            self.said[attempt] = self.said.get(attempt, "") + data["text"]
        elif event == "turn.ended":
            self.ended[data["turn"].split(".")[0]] = data["end"]
        elif event == "task.completed":
            if task in self.done:
                self.wrong.append(f"{task} is done at {self.done[task][0]} and at {seq}")
            self.done[task] = (seq, data["attempt"])

    def has(self, event):
        return any(record["event"] == event for record in self.records)

    def results(self, expected):
        """What exit 0 promises: each of these tasks is done, with this text."""
        for task, text in expected.items():
            if task not in self.done:
                self.wrong.append(f"{task} is not done, and the exit code was 0")
                continue
            attempt = self.done[task][1]
            said = self.said.get(attempt, "")
            cut = self.ended.get(attempt) == "length" and len(said) >= 20_000 and text.startswith(said)
            if said != text and not cut:
                self.wrong.append(f"the result of {task} has {len(said)} characters, not {len(text)}: {said[:80]!r}")


if __name__ == "__main__":
    read = Journal(sys.argv[1])
    print(f"{len(read.records)} records, {len(read.done)} tasks done, a torn line of {read.torn} bytes")
    print("\n".join(read.wrong) or "whole")
    sys.exit(bool(read.wrong))
