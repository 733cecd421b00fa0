//! A goal as it stands: its plan's revision, its phase, its outcome, whether its models fit into memory.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{EndpointIx, PastEdit, State, TaskIx};
use crate::domain::memory::{self, Presence};
use crate::domain::protocol::{
    AgentName, Author, EndpointName, GoalHeld, GoalId, GoalOptions, Health, Micros, Outcome, Route, TaskId,
};
use crate::domain::text::CleanText;

/// Where a goal is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalPhase {
    /// A model makes its plan.
    Planning,
    /// Its plan waits for review.
    Draft,
    /// Its tasks run as they can.
    Running,
    /// All its tasks have ended.
    Ended(Outcome),
}

/// Whether what a goal's tasks would load fits into memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalMemory {
    /// It does, or nobody could tell.
    #[default]
    Fits,
    /// It does not: its tasks wait.
    Short(Box<GoalHeld>),
    /// It did not, and the operator wants it all the same.
    Forced,
}

/// A goal as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// Its id.
    pub id: GoalId,
    /// The operator's words.
    pub text: CleanText,
    /// Mode and limits, resolved.
    pub options: GoalOptions,
    /// Where it is.
    pub phase: GoalPhase,
    /// The plan's revision; 0 while there is none.
    pub revision: u32,
    /// Its tasks, in plan order, planning and synthesis included.
    pub tasks: Vec<TaskIx>,
    /// What was mended in the model's plan, in words.
    pub repairs: Vec<CleanText>,
    /// Who made the newest revision.
    pub author: Author,
    /// When it was given.
    pub added_at: Micros,
    /// When its plan was approved or began to run.
    pub approved_at: Option<Micros>,
    /// When it ended.
    pub ended_at: Option<Micros>,
    /// The task whose result is the answer.
    pub answer: Option<TaskId>,
    /// Whether its models fit into memory.
    #[serde(default)]
    pub memory: GoalMemory,
    /// How many of its tasks run now.
    pub running: u32,
    /// How many of those wait for a person's answer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub asking: u32,
    /// How many of its tasks have not ended (removed ones aside).
    pub open: u32,
    /// The edits of its plan that can be undone or made again, oldest first.
    pub edits: VecDeque<PastEdit>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Goal {
    /// What it is held with, if its models do not fit into memory.
    pub fn short_of(&self) -> Option<&GoalHeld> {
        match &self.memory {
            GoalMemory::Short(held) => Some(held),
            GoalMemory::Fits | GoalMemory::Forced => None,
        }
    }
}

/// How long starts wait for the first look at the machine and at its servers, in each life of the process. Both come
/// within a third of a second; what has not come by then is taken as it is known.
const FIRST_LOOK: Micros = Micros::from_secs(1);

impl State {
    /// The endpoints that what is left of a goal would send requests to: those its tasks are placed on, and every usable
    /// one of their tiers. In the order of the fleet.
    pub fn endpoints_of(&self, goal: GoalId) -> Vec<EndpointName> {
        let mut wanted = vec![false; self.endpoints.len()];
        let mut mark = |EndpointIx(ix): EndpointIx| {
            if let Some(w) = wanted.get_mut(ix as usize) {
                *w = true;
            }
        };
        // Tasks of one agent on one route go the same way; there are few agents and many tasks.
        let mut seen: Vec<(&AgentName, Route)> = Vec::new();
        let tasks = self.goal(goal).map(|g| g.tasks.as_slice()).unwrap_or_default();
        for task in tasks.iter().map(|t| self.task(*t)).filter(|t| !t.removed && !t.has_ended()) {
            if let Some(placed) = self.placed(task) {
                mark(placed);
                continue;
            }
            let way = (&task.spec.agent, task.route);
            if seen.contains(&way) {
                continue;
            }
            seen.push(way);
            let Some(tier) = self.tier_of(task) else { continue };
            let serving = self.endpoints.iter().enumerate().filter(|(_, e)| e.is_usable() && e.serves(tier));
            serving.for_each(|(i, _)| mark(EndpointIx(i as u32)));
        }
        let names = self.endpoints.iter().zip(wanted).filter(|(_, wanted)| *wanted);
        names.map(|(e, _)| e.config.name.clone()).collect()
    }

    /// Until when starts may wait for the first look at this machine in this life of the process.
    pub fn first_look_until(&self) -> Micros {
        self.lives.last().map_or(Micros(0), |(began, _)| began.plus(FIRST_LOOK))
    }

    /// Whether starts wait at `now` until it is known what is in this machine's memory: a model of known size may have to
    /// be loaded into it, and the machine, or one of its servers, was not looked at yet. For a second at most.
    pub fn is_first_looking(&self, now: Micros) -> bool {
        if now >= self.first_look_until() || !self.config.machine.hold_for_memory {
            return false;
        }
        let sized = |e: &super::EndpointState| {
            e.config.is_here() && (e.config.memory_gb.is_some() || e.shape.is_some_and(|s| s.weights.is_some()))
        };
        let here = || self.endpoints.iter().filter(|e| sized(e));
        here().any(|e| memory::presence(self, e) == Presence::OnRequest)
            && (self.machine_at.is_none() || here().any(|e| e.health == Health::Unknown))
    }
}
