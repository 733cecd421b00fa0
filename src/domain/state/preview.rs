//! What an edit of a plan would do, before it is done: pure, for the console's preview and for the orchestrator's check.

use super::{GoalPhase, Life, State, Task, TaskIx};
use crate::domain::hash::{IdMap, id_map};
use crate::domain::plan::{FormChange, PlanEdit, TaskSpec, Weight, apply_edits, form_changes};
use crate::domain::protocol::{GoalId, Name, TaskId, Work};

/// What an edit would do. Names are those of the goal's tasks, Baton's own (`.synthesis`, `.voice`) among them; lists
/// stand in plan order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preview {
    /// Tasks that are new, or come back.
    pub added: Vec<Name>,
    /// Tasks that go.
    pub removed: Vec<Name>,
    /// Tasks with a new form, and what differs.
    pub changed: Vec<ChangedTask>,
    /// Running tasks among the removed: they are stopped, and what they wrote is kept.
    pub stopped: Vec<Name>,
    /// Running tasks whose work changes: they go on with the old form unless they are run again.
    pub running: Vec<Name>,
    /// Tasks that have ended and whose results become out of date. The results stay usable; they run again only as
    /// confirmed.
    pub dirty: Vec<Name>,
    /// Tasks that have ended and whose results are out of date now and won't be.
    pub clean: Vec<Name>,
    /// Tasks that will run because of it, whatever else is confirmed: what is added, and the answer made of that.
    pub runs: Vec<Name>,
    work: Vec<Piece>,
    slots: u32,
}

/// A task with a new form.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangedTask {
    /// The task.
    pub name: Name,
    /// What differs; empty when the new form is the same.
    pub changes: Vec<FormChange>,
}

impl ChangedTask {
    /// What differs in words: "prompt, needs +sources −lit".
    pub fn words(&self) -> String {
        self.changes.iter().map(|c| c.words.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Whether its result would be another one.
    pub fn matters(&self) -> bool {
        self.changes.iter().any(|c| c.weight == Weight::Matters)
    }
}

/// A task of the plan after the edit, for estimates.
#[derive(Clone, Debug, PartialEq)]
struct Piece {
    name: Name,
    seconds: f32,
    /// Indexes of what it needs; all before or after it.
    needs: Vec<usize>,
    /// An answer that runs again when something it needs runs.
    follows: bool,
}

impl Preview {
    /// Whether nothing at all would change.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.iter().all(|c| c.changes.is_empty())
    }

    /// All that would run if `rerun` is confirmed: those, what runs in any case, and the answer made of them.
    pub fn runs_with(&self, rerun: &[Name]) -> Vec<Name> {
        self.marked(rerun).into_iter().map(|i| self.work[i].name.clone()).collect()
    }

    /// Seconds that the edit adds if `rerun` is confirmed, as estimated: the longer of the longest chain of what runs and
    /// all of it spread over the slots. Seconds that a removal saves are not counted.
    pub fn seconds_with(&self, rerun: &[Name]) -> f32 {
        let runs = self.marked(rerun);
        let mut chain: Vec<Option<f32>> = vec![None; self.work.len()];
        let mut stack = runs.clone();
        // A piece is known when its needs are; each is looked at again after them.
        while let Some(i) = stack.pop() {
            if chain[i].is_some() {
                continue;
            }
            let needs = || self.work[i].needs.iter().filter(|n| runs.binary_search(n).is_ok());
            let open: Vec<usize> = needs().filter(|n| chain[**n].is_none()).copied().collect();
            if open.is_empty() {
                let before = needs().filter_map(|n| chain[*n]).fold(0.0, f32::max);
                chain[i] = Some(before + self.work[i].seconds);
            } else {
                stack.push(i);
                stack.extend(open);
            }
        }
        let longest = chain.iter().flatten().copied().fold(0.0, f32::max);
        let all: f32 = runs.iter().map(|i| self.work[*i].seconds).sum();
        longest.max(all / self.slots.max(1) as f32)
    }

    /// The pieces that run if `rerun` is confirmed, sorted.
    fn marked(&self, rerun: &[Name]) -> Vec<usize> {
        let mut runs: Vec<bool> =
            self.work.iter().map(|p| self.runs.contains(&p.name) || rerun.contains(&p.name)).collect();
        // The answers stand last, the one that needs the other after it.
        for i in 0..self.work.len() {
            runs[i] |= self.work[i].follows && self.work[i].needs.iter().any(|n| runs[*n]);
        }
        (0..runs.len()).filter(|i| runs[*i]).collect()
    }
}

/// A task as it would be after the edit.
struct After<'a> {
    name: &'a Name,
    form: &'a TaskSpec,
    ix: Option<TaskIx>,
    needs: Vec<usize>,
    dirty: bool,
}

impl State {
    /// What an edit of a goal's plan would do.
    ///
    /// # Errors
    /// In words, why it can't be done; a cycle is named whole.
    pub fn preview(&self, goal: GoalId, edits: &[PlanEdit]) -> Result<Preview, String> {
        let forms = self.edited_plan(goal, edits)?;
        let answers = self.answers_after(goal, &forms);
        let mut after = self.after(goal, &forms, &answers);
        self.mark_dirty(&mut after);

        let mut preview = Preview { slots: self.slots().1, ..Preview::default() };
        for edit in edits {
            let name = edit.name();
            let task = self.task_by_id(&TaskId::new(goal, name.clone()));
            match edit {
                PlanEdit::Add(_) | PlanEdit::Restore(_) => preview.added.push(name.clone()),
                PlanEdit::Remove(_) => {
                    // What is added and taken out again by the same edit was never there.
                    if let Some(task) = task {
                        preview.removed.push(name.clone());
                        if task.life == Life::Running {
                            preview.stopped.push(name.clone());
                        }
                    } else {
                        preview.added.retain(|n| n != name);
                    }
                }
                PlanEdit::Replace(_) => {}
            }
        }
        for node in &after {
            let Some(task) = node.ix.map(|ix| self.task(ix)).filter(|t| !t.removed) else {
                preview.runs.push(node.name.clone());
                continue;
            };
            let edited = edits.iter().any(|e| matches!(e, PlanEdit::Replace(s) if s.id == *node.name));
            let changes = form_changes(&task.spec, node.form);
            let matters = changes.iter().any(|c| c.weight == Weight::Matters);
            if edited && !changes.is_empty() {
                preview.changed.push(ChangedTask { name: node.name.clone(), changes });
            }
            if task.life == Life::Running && matters {
                preview.running.push(node.name.clone());
            }
            if node.dirty && !task.dirty && task.has_ended() {
                preview.dirty.push(node.name.clone());
            }
            if task.dirty && !node.dirty && task.has_ended() {
                preview.clean.push(node.name.clone());
            }
        }
        // A restored task that had ended keeps its result.
        preview
            .runs
            .retain(|name| self.task_by_id(&TaskId::new(goal, name.clone())).is_none_or(|task| !task.has_ended()));
        preview.work = after
            .iter()
            .map(|node| Piece {
                name: node.name.clone(),
                seconds: self.seconds_of(node.form),
                needs: node.needs.clone(),
                follows: node.ix.is_some_and(|ix| self.goes_along(self.task(ix))),
            })
            .collect();
        preview.runs = preview.runs_with(&[]);
        let Preview { running, dirty, runs, .. } = &mut preview;
        running.retain(|name| !runs.contains(name));
        dirty.retain(|name| !runs.contains(name));
        Ok(preview)
    }

    /// The ordinary tasks of a goal after an edit, in plan order.
    ///
    /// # Errors
    /// In words, why it can't be done.
    pub fn edited_plan<'a>(&'a self, goal: GoalId, edits: &'a [PlanEdit]) -> Result<Vec<&'a TaskSpec>, String> {
        let g = self.goal(goal).ok_or_else(|| format!("there is no goal {goal}"))?;
        if g.phase == GoalPhase::Planning {
            return Err("there is no plan yet; a model is making it".to_owned());
        }
        if edits.is_empty() {
            return Err("the edit changes nothing".to_owned());
        }
        for edit in edits {
            let known = self.task_by_id(&TaskId::new(goal, edit.name().clone()));
            match edit {
                PlanEdit::Add(spec) if known.is_some() => {
                    return Err(format!("the id {} was used before; ids are never used again", spec.id));
                }
                PlanEdit::Restore(spec) if known.is_none_or(|t| t.work != Work::Ordinary) => {
                    return Err(format!("there never was a task {} in the plan", spec.id));
                }
                _ => {}
            }
            if let PlanEdit::Add(spec) | PlanEdit::Replace(spec) | PlanEdit::Restore(spec) = edit
                && self.config.fleet.agent(&spec.agent).is_none()
            {
                return Err(format!("{}: there is no agent {}", spec.id, spec.agent));
            }
        }
        let now = g.tasks.iter().map(|t| self.task(*t)).filter(|t| t.work == Work::Ordinary && !t.removed);
        apply_edits(now.map(|t| &*t.spec), edits).map_err(|e| e.to_string())
    }

    /// Baton's own last tasks as they would be. Rounds stay while the answer is made of the same results.
    fn answers_after(&self, goal: GoalId, forms: &[&TaskSpec]) -> Vec<TaskSpec> {
        let mut needs = self.answer_needs(goal, forms);
        let now = self.own_task(goal, Work::Synthesis);
        let stays = now.filter(|task| needs.synthesis.as_ref().is_some_and(|n| self.is_made_of(task, n)));
        let mut rounds = Vec::new();
        if let Some(task) = stays {
            needs.synthesis = Some(task.spec.needs.clone());
            rounds.extend(self.rounds_of(task).into_iter().map(|round| (*self.task(round).spec).clone()));
        }
        let settings = &self.config.settings;
        let form = |work, name: &str, agent: &Name, needs: Option<Vec<Name>>| {
            let mut form = match self.own_task(goal, work) {
                Some(task) => (*task.spec).clone(),
                None => TaskSpec::new(Name::slug(name), agent.clone(), ""),
            };
            form.needs = needs?;
            Some(form)
        };
        let synthesis = form(Work::Synthesis, super::answer::SYNTHESIS, &settings.synthesizer, needs.synthesis);
        let voice = form(Work::Voice, super::answer::VOICE, &settings.narrator, needs.voice);
        rounds.into_iter().chain(synthesis).chain(voice).collect()
    }

    /// All tasks of a goal after an edit but the planning: the ordinary ones, then the answers.
    fn after<'a>(&self, goal: GoalId, forms: &[&'a TaskSpec], answers: &'a [TaskSpec]) -> Vec<After<'a>> {
        let all: Vec<&'a TaskSpec> = forms.iter().copied().chain(answers).collect();
        let mut index: IdMap<&Name, usize> = id_map(all.len());
        index.extend(all.iter().enumerate().map(|(i, form)| (&form.id, i)));
        all.iter()
            .map(|form| After {
                name: &form.id,
                form,
                ix: self.find(&TaskId::new(goal, form.id.clone())),
                needs: form.needs.iter().filter_map(|n| index.get(n).copied()).collect(),
                dirty: false,
            })
            .collect()
    }

    /// Marks what would be dirty after the edit.
    fn mark_dirty(&self, after: &mut [After<'_>]) {
        let mut feeds: Vec<Vec<usize>> = vec![Vec::new(); after.len()];
        for (i, node) in after.iter().enumerate() {
            for need in &node.needs {
                feeds[*need].push(i);
            }
        }
        let has_result = |node: &After<'_>| node.ix.map(|ix| self.task(ix)).filter(|t| t.result.is_some());
        let own = |node: &After<'_>| {
            has_result(node).is_some_and(|task| self.outdated(task, node.form, node.needs.iter().map(|n| after[*n].ix)))
        };
        let mut stack: Vec<usize> = (0..after.len()).filter(|i| own(&after[*i])).collect();
        let takes_over = |task: &Task| !self.is_by_hand(task);
        for i in &stack {
            after[*i].dirty = true;
        }
        while let Some(i) = stack.pop() {
            for feed in &feeds[i] {
                if !after[*feed].dirty && has_result(&after[*feed]).is_some_and(takes_over) {
                    after[*feed].dirty = true;
                    stack.push(*feed);
                }
            }
        }
    }
}
