//! Goals from their plan to their end: planning, draft, synthesis, voice summary, outcome.

use super::Orchestrator;
use crate::domain::plan::{
    self, Budget, OnFailure, Plan, PlanEdit, TaskSpec, built_in, decomposition_schema, read_answer,
};
use crate::domain::protocol::{
    Author, EditKind, Event, GoalId, LevelSupport, MOST_DECIDED, Name, Outcome, PlanEdited, Review, Subject, TaskId,
    Work, recorded_bytes,
};
use crate::domain::state::{End, GoalPhase, Life, SYNTHESIS, Task, TaskIx, VOICE};
use crate::domain::text::CleanText;

/// The least tokens of a planning answer (source: the parallel engine's description, "fast decomposition").
const PLANNING_TOKENS: u32 = 1024;

/// A planned task as JSON: title, prompt of some 80 words, agent, needs.
const TOKENS_OF_A_TASK: u32 = 170;

/// The name of a goal's planning task. Names of Baton's own tasks begin with a dot.
pub(super) const PLANNING: &str = ".plan";

impl Orchestrator {
    /// The schema a planning answer must follow.
    pub(super) fn planning_schema(&self, goal: GoalId) -> serde_json::Value {
        decomposition_schema(&self.state.config.fleet.agents, self.max_tasks(goal))
    }

    /// The most tasks a planning model may make for a goal.
    pub(super) fn max_tasks(&self, goal: GoalId) -> u32 {
        self.state.goal(goal).and_then(|g| g.options.max_tasks).unwrap_or(self.state.config.settings.max_tasks).max(1)
    }

    /// Adds the task that makes a goal's plan.
    pub(super) fn add_planning(&mut self, goal: GoalId) {
        let settings = &self.state.config.settings;
        let mut spec = TaskSpec::new(Name::slug(PLANNING), settings.planner.clone(), "Make the plan.");
        spec.title = Some("Make the plan".to_owned());
        spec.budget = Budget { tokens: Some(self.planning_tokens(goal)), ..Budget::default() };
        self.edit(goal, Author::Baton, vec![PlanEdit::Add(Box::new(spec))], Work::Planning, Vec::new());
    }

    /// The tokens of a planning answer: 1,024 do for six tasks, as the engine's first description has it. Where the
    /// planner's model may think, thinking counts among them, and so there are twice as many.
    fn planning_tokens(&self, goal: GoalId) -> u32 {
        let config = &self.state.config;
        let tier = config.fleet.agent(&config.settings.planner).map(|agent| &agent.tier);
        let mut serving = self.state.endpoints().iter().filter(|e| tier.is_some_and(|t| e.config.tiers.contains(t)));
        let thinks = serving.any(|e| e.level_support() != LevelSupport::None);
        let tokens = self.max_tasks(goal).saturating_mul(TOKENS_OF_A_TASK).max(PLANNING_TOKENS);
        tokens.saturating_mul(1 + u32::from(thinks))
    }

    /// Emits an edit with the plan's next revision.
    pub(super) fn edit(
        &mut self,
        goal: GoalId,
        author: Author,
        edits: Vec<PlanEdit>,
        work: Work,
        repairs: Vec<CleanText>,
    ) {
        let revision = self.state.goal(goal).map_or(0, |g| g.revision) + 1;
        self.emit(Event::PlanEdited(PlanEdited { goal, revision, author, edits, work, repairs, kind: EditKind::New }));
    }

    /// A planning task has answered: its answer becomes the plan, mended where it has to be.
    pub(super) fn planned(&mut self, task: &TaskId, answer: &str) {
        let Some(goal) = self.state.goal(task.goal) else { return };
        let text = goal.text.to_string();
        let found = read_answer(answer, &text, &self.state.config.fleet.agents, self.max_tasks(task.goal));
        let bytes = recorded_bytes(&found.plan);
        if bytes > MOST_DECIDED {
            let reason = format!("its plan is {bytes} bytes long, and the most is {MOST_DECIDED}");
            return self.plan_built_in(task, &CleanText::one_line(&reason));
        }
        let cut = self.state.task_by_id(task).and_then(|t| self.state.cut_of(t));
        let cut = cut.map(|cut| {
            format!("the plan was {cut}, also when it was asked for with more: what came after that is missing from it")
        });
        let repairs = cut.iter().chain(&found.repairs).map(|r| CleanText::one_line(r)).collect();
        self.adopt(task.goal, found.plan, Author::Task(task.clone()), repairs);
    }

    /// The planning model can't be had: the goal gets a built-in plan.
    pub(super) fn plan_built_in(&mut self, task: &TaskId, reason: &CleanText) {
        let Some(goal) = self.state.goal(task.goal) else { return };
        let plan = built_in(&goal.text, &self.state.config.fleet.agents);
        let repair = format!("no model could plan ({reason}); this is a built-in plan");
        self.adopt(task.goal, plan, Author::Baton, vec![CleanText::one_line(&repair)]);
    }

    /// Makes a plan the goal's: its tasks, the synthesis, the voice summary; then review or run.
    pub(super) fn adopt(&mut self, goal: GoalId, plan: Plan, author: Author, repairs: Vec<CleanText>) {
        let taken: Vec<Name> = self
            .state
            .goal(goal)
            .map(|g| g.tasks.iter().map(|t| self.state.task(*t).id.name.clone()).collect())
            .unwrap_or_default();
        let edits: Vec<PlanEdit> =
            plan.tasks.into_iter().filter(|t| !taken.contains(&t.id)).map(|t| PlanEdit::Add(Box::new(t))).collect();
        self.edit(goal, author, edits, Work::Ordinary, repairs);
        self.add_answer(goal);
        match self.state.goal(goal).map(|g| g.options.review) {
            Some(Review::Ask) => {
                self.emit(Event::GoalDrafted { goal });
                self.ask_for_review(goal);
            }
            _ => self.emit(Event::GoalApproved { goal }),
        }
    }

    /// Tells the operator that a draft waits.
    pub(super) fn ask_for_review(&mut self, goal: GoalId) {
        let text = "a plan waits for your review; enter runs it";
        self.emit_attention(Subject::Review(goal), CleanText::from(text));
    }

    /// Adds the synthesis and the voice summary as the goal's options want them, or follows a plan that changed.
    pub(super) fn add_answer(&mut self, goal: GoalId) {
        let Some(g) = self.state.goal(goal) else { return };
        let tasks: Vec<&TaskSpec> = g
            .tasks
            .iter()
            .map(|t| self.state.task(*t))
            .filter(|t| t.work == Work::Ordinary && !t.removed)
            .map(|t| &*t.spec)
            .collect();
        let needs = self.state.answer_needs(goal, &tasks);
        let settings = &self.state.config.settings;
        let (synthesizer, narrator) = (settings.synthesizer.clone(), settings.narrator.clone());
        if let Some(needs) = needs.synthesis {
            let mut spec = TaskSpec::new(Name::slug(SYNTHESIS), synthesizer, super::prompts::SYNTHESIS_PROMPT);
            spec.title = Some("Write the answer".to_owned());
            self.put_answer(goal, Work::Synthesis, spec, needs);
        }
        if let Some(needs) = needs.voice {
            let mut spec = TaskSpec::new(Name::slug(VOICE), narrator, super::prompts::VOICE_PROMPT);
            spec.title = Some("Summarise for the ear".to_owned());
            spec.budget = Budget { tokens: Some(256), ..Budget::default() };
            self.put_answer(goal, Work::Voice, spec, needs);
        }
    }

    /// Adds one of Baton's own last tasks, or gives the one that is there what it needs now.
    fn put_answer(&mut self, goal: GoalId, work: Work, mut spec: TaskSpec, needs: Vec<Name>) {
        spec.needs = needs;
        spec.on_dependency_failure = OnFailure::Tell;
        let steps = match self.state.own_task(goal, work) {
            Some(task) if self.state.is_made_of(task, &spec.needs) => return,
            Some(task) => {
                let mut steps = self.without_rounds(task);
                steps.push(PlanEdit::Replace(Box::new(spec)));
                steps
            }
            None => vec![PlanEdit::Add(Box::new(spec))],
        };
        self.edit(goal, Author::Baton, steps.clone(), work, Vec::new());
        self.stop_rounds(&steps, goal);
    }

    /// Skips a task that can't start any more because of how a need ended. True: it was skipped.
    pub(super) fn skip_if_blocked(&mut self, ix: TaskIx) -> bool {
        let task = self.state.task(ix);
        if task.life != Life::NotStarted || task.removed || !self.index.is_met(ix) {
            return false;
        }
        let mut needs = task.needs.iter().map(|n| self.state.task(*n));
        let reason = if let Some(need) = needs.find(|n| n.has_ended() && !self.state.satisfies(n, task)) {
            format!("“{}” {}", need.title, ended_word(need))
        } else if matches!(task.work, Work::Round | Work::Synthesis | Work::Voice)
            && !self.state.told_of(task).iter().any(|n| self.state.task(*n).has_result())
        {
            "no task has a result to write about".to_owned()
        } else {
            return false;
        };
        let id = task.id.clone();
        self.emit(Event::TaskSkipped { task: id, reason: CleanText::one_line(&reason) });
        true
    }

    /// Ends goals whose tasks have all ended. True: something happened.
    pub(super) fn advance_goals(&mut self) -> bool {
        let mut goals = std::mem::take(&mut self.index.goals_touched);
        goals.sort_unstable();
        goals.dedup();
        let mut acted = false;
        for id in goals {
            let Some(goal) = self.state.goal(id) else { continue };
            if goal.open > 0 || !matches!(goal.phase, GoalPhase::Running | GoalPhase::Planning) || goal.tasks.is_empty()
            {
                continue;
            }
            let (outcome, answer) = self.outcome(id);
            self.emit(Event::GoalEnded { goal: id, outcome, answer });
            self.emit_cleared(Subject::Review(id));
            acted = true;
        }
        acted
    }

    fn outcome(&self, goal: GoalId) -> (Outcome, Option<TaskId>) {
        let tasks: Vec<&Task> =
            self.state.goal(goal).map(|g| g.tasks.iter().map(|t| self.state.task(*t)).collect()).unwrap_or_default();
        let open = || tasks.iter().filter(|t| !t.removed);
        let counted = || open().filter(|t| t.work != Work::Planning);
        let outcome = if counted().any(|t| t.life == Life::Ended(End::Failed)) {
            Outcome::Failed
        } else if open().any(|t| matches!(t.life, Life::Ended(End::Cancelled(_)))) {
            Outcome::Cancelled
        } else {
            Outcome::Done
        };
        let synthesis = open().find(|t| t.work == Work::Synthesis && t.is_done());
        let last = || {
            open()
                .filter(|t| t.work == Work::Ordinary && t.is_done())
                .max_by_key(|t| (t.feeds.is_empty(), t.ended_at, std::cmp::Reverse(t.id.clone())))
        };
        (outcome, synthesis.or_else(last).map(|t| t.id.clone()))
    }
}

/// How a task ended, as the end of a sentence that begins with its title.
pub(super) fn ended_word(task: &Task) -> &'static str {
    match task.life {
        Life::Ended(End::Failed) => "failed",
        Life::Ended(End::Cancelled(_)) => "was cancelled",
        Life::Ended(End::Skipped) => "was skipped",
        Life::Ended(End::Done) => "is done",
        Life::Running => "runs",
        Life::NotStarted => "has not started",
    }
}

/// Checks a given plan against the agents; the first problem in words.
pub(super) fn check_plan(plan: &Plan, agents: &[crate::domain::fleet::Agent]) -> Result<(), String> {
    let problems = plan::validate(plan, agents);
    match problems.first() {
        None => Ok(()),
        Some(first) => {
            let more = problems.len() - 1;
            Err(if more == 0 { first.to_string() } else { format!("{first} (and {more} more)") })
        }
    }
}
