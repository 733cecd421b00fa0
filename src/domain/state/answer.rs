//! What a goal's answer is made of: which results the synthesis and the voice summary take in, directly or through rounds
//! that condense them.
//!
//! Not here: adding or changing those tasks (the orchestrator does); this only says what they would be.

use super::{End, GoalPhase, Life, State, Task, TaskIx};
use crate::domain::hash::{IdMap, id_map};
use crate::domain::plan::TaskSpec;
use crate::domain::protocol::{GoalId, Name, TaskId, Work};

/// The name of a goal's synthesis. Names of Baton's own tasks begin with a dot.
pub(crate) const SYNTHESIS: &str = ".synthesis";
/// The name of a goal's voice summary.
pub(crate) const VOICE: &str = ".voice";

/// How many results a synthesis takes in, in rounds where they do not fit; with more tasks it takes those nobody else
/// uses: of so many, rounds would leave next to nothing of each.
const SYNTHESIS_NEEDS: usize = 256;

/// The needs of Baton's own last tasks; none where there is to be no such task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AnswerNeeds {
    pub synthesis: Option<Vec<Name>>,
    pub voice: Option<Vec<Name>>,
}

impl State {
    /// The task of a goal that does Baton's own work of this kind.
    pub(crate) fn own_task(&self, goal: GoalId, work: Work) -> Option<&Task> {
        self.goal(goal)?.tasks.iter().map(|t| self.task(*t)).find(|t| t.work == work && !t.removed)
    }

    /// Whether one of Baton's last tasks that has begun is done again when something it is made of runs. One that the
    /// operator dropped stays so while the goal goes on.
    pub(crate) fn goes_along(&self, task: &Task) -> bool {
        let over = self.goal(task.id.goal).is_some_and(|g| matches!(g.phase, GoalPhase::Ended(_)));
        matches!(task.work, Work::Round | Work::Synthesis | Work::Voice)
            && match task.life {
                Life::NotStarted => false,
                Life::Running | Life::Ended(End::Done | End::Failed) => true,
                Life::Ended(End::Cancelled(_) | End::Skipped) => over,
            }
    }

    /// The rounds between a task and the results it is made of, those that others need first.
    pub(crate) fn rounds_of(&self, task: &Task) -> Vec<TaskIx> {
        let mut rounds = Vec::new();
        for need in task.needs.iter().filter(|n| self.task(**n).work == Work::Round) {
            rounds.extend(self.rounds_of(self.task(*need)));
            rounds.push(*need);
        }
        rounds
    }

    /// How many levels of rounds stand between a task and the results it is made of.
    pub(crate) fn levels_below(&self, task: &Task) -> u32 {
        let rounds = task.needs.iter().map(|n| self.task(*n)).filter(|n| n.work == Work::Round);
        rounds.map(|round| self.levels_below(round) + 1).max().unwrap_or(0)
    }

    /// The results a task is made of by its form, through rounds and in their order.
    pub(crate) fn sources_of(&self, task: &Task) -> Vec<Name> {
        let mut sources = Vec::with_capacity(task.spec.needs.len());
        for name in &task.spec.needs {
            match self.task_by_id(&TaskId::new(task.id.goal, name.clone())) {
                Some(round) if round.work == Work::Round => sources.extend(self.sources_of(round)),
                _ => sources.push(name.clone()),
            }
        }
        sources
    }

    /// Whether a task is made of these results and no others, directly or through rounds.
    pub(crate) fn is_made_of(&self, task: &Task, names: &[Name]) -> bool {
        let mut sources = self.sources_of(task);
        if sources == names {
            return true;
        }
        let mut names = names.to_vec();
        names.sort_unstable();
        sources.sort_unstable();
        sources == names
    }

    /// What a task is told of, in order: what it needs, and in place of a round that came to nothing what that needs.
    pub(crate) fn told_of(&self, task: &Task) -> Vec<TaskIx> {
        let mut told = Vec::with_capacity(task.needs.len());
        for need in &task.needs {
            let round = Some(self.task(*need)).filter(|n| n.work == Work::Round && !n.has_result());
            match round {
                Some(round) => told.extend(self.told_of(round)),
                None => told.push(*need),
            }
        }
        told
    }

    /// Whether a round is done and was made of other results than it would be made of now, and has one to be made of.
    pub(crate) fn is_made_of_others(&self, round: TaskIx) -> bool {
        let task = self.task(round);
        task.is_done()
            && task.needs.iter().any(|n| self.task(*n).has_result())
            && self.outdated(task, &task.spec, task.needs.iter().map(|n| Some(*n)))
    }

    /// What the answer of a goal would take in if `tasks` were its plan. A synthesis or voice summary that is there goes
    /// on, also where a new one would not be made.
    pub(crate) fn answer_needs(&self, goal: GoalId, tasks: &[&TaskSpec]) -> AnswerNeeds {
        let Some(g) = self.goal(goal) else { return AnswerNeeds::default() };
        let settings = &self.config.settings;
        let mut used: IdMap<&Name, ()> = id_map(tasks.len());
        used.extend(tasks.iter().flat_map(|t| &t.needs).map(|n| (n, ())));
        let last: Vec<&TaskSpec> = tasks.iter().filter(|t| !used.contains_key(&t.id)).copied().collect();
        // A single last task of the synthesiser's own tier is a synthesis already.
        let tier = |agent: &Name| self.config.fleet.agent(agent).map(|a| &a.tier);
        let is_one = tasks.len() == 1 || (last.len() == 1 && tier(&last[0].agent) == tier(&settings.synthesizer));
        let wanted = match g.options.synthesis {
            Some(choice) => choice && !tasks.is_empty(),
            None => settings.synthesis && !tasks.is_empty() && !is_one,
        };
        let names = |tasks: &[&TaskSpec]| -> Vec<Name> { tasks.iter().map(|t| t.id.clone()).collect() };
        let synthesis = (wanted || self.own_task(goal, Work::Synthesis).is_some())
            .then(|| if tasks.len() <= SYNTHESIS_NEEDS { names(tasks) } else { names(&last) });
        let speaks = g.options.voice_summary.unwrap_or(settings.voice_summary);
        let voice = (speaks || self.own_task(goal, Work::Voice).is_some())
            .then(|| if synthesis.is_some() { vec![Name::slug(SYNTHESIS)] } else { names(&last) });
        AnswerNeeds { synthesis, voice }
    }
}
