//! What a goal's answer is made of: which results the synthesis and the voice summary take in.
//!
//! Not here: adding or changing those tasks (the orchestrator does); this only says what they would be.

use super::{End, GoalPhase, Life, State, Task};
use crate::domain::hash::{IdMap, id_map};
use crate::domain::plan::TaskSpec;
use crate::domain::protocol::{GoalId, Name, Work};

/// The name of a goal's synthesis. Names of Baton's own tasks begin with a dot.
pub(crate) const SYNTHESIS: &str = ".synthesis";
/// The name of a goal's voice summary.
pub(crate) const VOICE: &str = ".voice";

/// How many results a synthesis takes in directly; with more tasks it takes those nobody else uses.
const SYNTHESIS_NEEDS: usize = 12;

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
        matches!(task.work, Work::Synthesis | Work::Voice)
            && match task.life {
                Life::NotStarted => false,
                Life::Running | Life::Ended(End::Done | End::Failed) => true,
                Life::Ended(End::Cancelled(_) | End::Skipped) => over,
            }
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
