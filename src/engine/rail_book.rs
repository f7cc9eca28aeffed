//! Where the rails of a run are, as far as it is known, and what that means for the sub-run: pure book-keeping for the
//! dispatcher. Never reads and never moves a rail.

use std::collections::BTreeSet;

use crate::domain::event::{RailHeld, RailLevel, RailMoving, RailNotHeld, RailNotRestored, RailRestored, RestoredBy};
use crate::domain::margin::RailField;
use crate::domain::name::Name;
use crate::domain::plan::Experiment;
use crate::domain::policy::Bounds;
use crate::domain::rails::{Controllers, Levels, Write, controller_of, walk};

use super::effect::Home;

/// The rails of a plan that have a controller.
#[derive(Debug, Default)]
pub struct RailBook {
    controllers: Controllers,
    /// The fields that the plan sets: all others are the rail's own, and are never told.
    planned: BTreeSet<(Name, RailField)>,
    /// Where they were before this run moved any of them: once read, never changed.
    nominal: Option<Levels>,
    /// Where they were told to be; a rail that is home is not among them.
    setpoints: Levels,
    /// A write may have been made since they were last known to be home.
    moved: bool,
}

/// Why the rails are not to be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsafe {
    /// A rail stands outside of the bounds before anything was moved: walking from there would command what no policy allows.
    OutOfBounds(String),
    /// A rail is not where the run before it left it.
    NotHome(String),
}

impl RailBook {
    /// Of a plan, before anything was read.
    pub fn new(experiment: &Experiment) -> Self {
        let swept = experiment.axes.iter().flat_map(|axis| axis.columns.keys());
        let planned = experiment.fixed.keys().chain(swept).map(|key| (key.rail.clone(), key.field)).collect();
        Self { controllers: experiment.controllers.clone(), planned, ..Self::default() }
    }

    /// The same of a run that was interrupted: where home was is known, and they were brought there.
    #[must_use]
    pub fn at_home(self, nominal: Option<Levels>) -> Self {
        Self { nominal: nominal.filter(|_| !self.controllers.is_empty()), ..self }
    }

    /// What was read of the fields that the plan sets.
    fn planned_of(&self, read: Levels) -> Levels {
        let mut planned = Levels::new();
        for (rail, mut level) in read {
            for field in RailField::ALL {
                if !self.planned.contains(&(rail.clone(), field)) {
                    level.set(field, None);
                }
            }
            if !level.is_empty() {
                planned.insert(rail, level);
            }
        }
        planned
    }

    /// Whether nothing here can move.
    pub fn is_empty(&self) -> bool {
        self.controllers.is_empty()
    }

    /// Where they were before this run moved any of them.
    pub const fn nominal(&self) -> Option<&Levels> {
        self.nominal.as_ref()
    }

    /// Whether the rails stand elsewhere than a step wants them.
    pub fn is_elsewhere(&self, wanted: &Levels) -> bool {
        self.setpoints != *wanted
    }

    /// Whether a rail may be away from home.
    pub const fn has_moved(&self) -> bool {
        self.moved
    }

    /// Where they are told to be.
    pub const fn setpoints(&self) -> &Levels {
        &self.setpoints
    }

    /// Takes in what was read while the rails are home. The first time that is nominal.
    pub fn read_at_home(&mut self, read: Levels, bounds: &Bounds) -> Result<(), Unsafe> {
        let read = self.planned_of(read);
        for (rail, level) in &read {
            for field in RailField::ALL {
                let Some(value) = level.of(field) else { continue };
                let bound = bounds.rails.get(rail).and_then(|fields| fields.get(&field));
                if let Some(bound) = bound.filter(|bound| !bound.is.contains(value)) {
                    return Err(Unsafe::OutOfBounds(format!(
                        "{rail}.{field} stands at {} before anything is moved, outside {} .. {}",
                        field.show(value),
                        field.show(bound.is.min),
                        field.show(bound.is.max)
                    )));
                }
            }
        }
        match &self.nominal {
            None => self.nominal = Some(read),
            Some(nominal) => {
                for (rail, home) in nominal {
                    let Some((_, controller)) = controller_of(&self.controllers, rail) else { continue };
                    let now = read.get(rail).copied().unwrap_or_default();
                    if let Err(why) = controller.holds(home, &now) {
                        return Err(Unsafe::NotHome(format!("{rail} is not where it was left: {why}")));
                    }
                }
            }
        }
        Ok(())
    }

    /// The lines to write before rails move from where they were told to be to where they are wanted, and the writes.
    /// A rail that is not wanted any more goes back to nominal.
    pub fn depart(&mut self, wanted: Levels) -> (Vec<RailMoving>, Vec<Write>) {
        let nominal = self.nominal.clone().unwrap_or_default();
        let (mut from, mut to) = (Levels::new(), Levels::new());
        let mut lines = vec![];
        for (rail, home) in &nominal {
            let (old, new) = (self.setpoints.get(rail), wanted.get(rail));
            let (mut at, mut aim) = (RailLevel::default(), RailLevel::default());
            for field in RailField::ALL {
                let (old, new) = (old.and_then(|level| level.of(field)), new.and_then(|level| level.of(field)));
                // What neither point says anything about is not told anything.
                if old.or(new).is_some() {
                    at.set(field, old.or(home.of(field)));
                    aim.set(field, new.or(home.of(field)));
                }
            }
            if at != aim {
                lines.push(RailMoving { rail: rail.clone(), from: at, to: aim });
                from.insert(rail.clone(), at);
                to.insert(rail.clone(), aim);
            }
        }
        self.moved |= !lines.is_empty();
        self.setpoints = wanted;
        let writes = walk(&self.controllers, &from, &to);
        (lines, writes)
    }

    /// What the readbacks say of the setpoints.
    pub fn arrived(&self, read: &Levels) -> (Vec<RailHeld>, Vec<RailNotHeld>) {
        let (mut held, mut lost) = (vec![], vec![]);
        for (rail, setpoint) in &self.setpoints {
            let Some((_, controller)) = controller_of(&self.controllers, rail) else { continue };
            let (rail, setpoint) = (rail.clone(), *setpoint);
            match read.get(&rail).copied() {
                Some(readback) => match controller.holds(&setpoint, &readback) {
                    Ok(()) => held.push(RailHeld { rail, setpoint, readback }),
                    Err(reason) => lost.push(RailNotHeld { rail, setpoint, readback: Some(readback), reason }),
                },
                None => {
                    lost.push(RailNotHeld {
                        rail,
                        setpoint,
                        readback: None,
                        reason: "it was not read back".to_owned(),
                    });
                }
            }
        }
        (held, lost)
    }

    /// Every rail that is away, not held for one reason.
    pub fn all_lost(&self, reason: &str) -> Vec<RailNotHeld> {
        let lost = |(rail, setpoint): (&Name, &_)| RailNotHeld {
            rail: rail.clone(),
            setpoint: *setpoint,
            readback: None,
            reason: reason.to_owned(),
        };
        self.setpoints.iter().map(lost).collect()
    }

    /// Takes in how the way home ended, as lines for the record. Rails that are not home stay known as moved.
    pub fn came_home(&mut self, home: Home) -> (Vec<RailRestored>, Vec<RailNotRestored>) {
        let (mut restored, mut stuck) = (vec![], vec![]);
        for (rail, outcome) in home {
            match outcome {
                Ok(readback) => restored.push(RailRestored { rail, by: RestoredBy::Runner, readback }),
                Err(reason) => stuck.push(RailNotRestored { rail, by: RestoredBy::Runner, reason }),
            }
        }
        if stuck.is_empty() {
            self.moved = false;
            self.setpoints = Levels::new();
        }
        (restored, stuck)
    }
}
