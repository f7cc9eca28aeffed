//! Rails as they really were: readback beside setpoint, points that were not held and why, and who brought a rail home
//! where that was not the runner. Only where a controller moved something; the first of many, and how many there are.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Part;
use crate::domain::event::{RailHeld, RailLevel, RestoredBy, RunEvent};
use crate::domain::margin::RailField;
use crate::domain::name::Name;
use crate::domain::run_state::RunState;
use crate::domain::sanitize;
use crate::domain::summary::short_name;

/// So many setpoints are shown; the sub-runs' journals have all.
const SHOWN: usize = 200;

/// The rails of some sub-runs, as templates see them.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Rails {
    held: Vec<Held>,
    held_left_out: u64,
    not_held: Vec<NotHeld>,
    not_held_left_out: u64,
    home: Vec<Home>,
    home_left_out: u64,
}

/// A setpoint that was held.
#[derive(Debug, Clone, Serialize)]
struct Held {
    subrun: String,
    rail: String,
    setpoint: String,
    readback: String,
    /// Readback less setpoint, field by field; empty where they are the same.
    off: String,
}

/// A setpoint that was not held.
#[derive(Debug, Clone, Serialize)]
struct NotHeld {
    subrun: String,
    rail: String,
    setpoint: String,
    readback: String,
    reason: String,
}

/// A rail that was brought home by another than the runner, or by nobody.
#[derive(Debug, Clone, Serialize)]
struct Home {
    subrun: String,
    rail: String,
    by: &'static str,
    restored: bool,
    /// What was read afterwards, or what went wrong.
    says: String,
}

impl Rails {
    /// With those of the sub-runs behind these.
    pub fn join(&mut self, other: Self) {
        join(&mut self.held, &mut self.held_left_out, other.held, other.held_left_out);
        join(&mut self.not_held, &mut self.not_held_left_out, other.not_held, other.not_held_left_out);
        join(&mut self.home, &mut self.home_left_out, other.home, other.home_left_out);
    }

    /// Whether any rail was moved.
    pub const fn is_empty(&self) -> bool {
        self.held.is_empty() && self.not_held.is_empty() && self.home.is_empty()
    }
}

fn join<T>(own: &mut Vec<T>, left_out: &mut u64, other: Vec<T>, other_left_out: u64) {
    *left_out += other_left_out;
    for one in other {
        put(own, left_out, || one);
    }
}

fn put<T>(own: &mut Vec<T>, left_out: &mut u64, one: impl FnOnce() -> T) {
    if own.len() < SHOWN { own.push(one()) } else { *left_out += 1 }
}

impl Part for Rails {
    fn sub_run(&mut self, state: &RunState, index: u32) {
        let Some(sub_run) = state.sub_runs.get(index as usize) else { return };
        let name = short_name(state.plan.experiment.sub_runs(), index);
        let mut farthest: BTreeMap<(&Name, Option<u64>, Option<u64>), &RailHeld> = BTreeMap::new();
        for event in &sub_run.rails {
            match event {
                // Read after the move and again after the steps: the one that is farther off is told.
                RunEvent::RailHeld(held) => {
                    let key = (&held.rail, held.setpoint.voltage_uv, held.setpoint.frequency_khz);
                    let slot = farthest.entry(key).or_insert(held);
                    if distance(held) > distance(slot) {
                        *slot = held;
                    }
                }
                RunEvent::RailNotHeld(event) => put(&mut self.not_held, &mut self.not_held_left_out, || NotHeld {
                    subrun: name.clone(),
                    rail: event.rail.to_string(),
                    setpoint: event.setpoint.shown(),
                    readback: event.readback.map_or_else(|| "not read".to_owned(), |level| level.shown()),
                    reason: sanitize::escaped(&event.reason).into_owned(),
                }),
                RunEvent::RailRestored(event) if event.by != RestoredBy::Runner => {
                    put(&mut self.home, &mut self.home_left_out, || Home {
                        subrun: name.clone(),
                        rail: event.rail.to_string(),
                        by: by(event.by),
                        restored: true,
                        says: event.readback.shown(),
                    });
                }
                RunEvent::RailNotRestored(event) => put(&mut self.home, &mut self.home_left_out, || Home {
                    subrun: name.clone(),
                    rail: event.rail.to_string(),
                    by: by(event.by),
                    restored: false,
                    says: sanitize::escaped(&event.reason).into_owned(),
                }),
                _ => {}
            }
        }
        for held in farthest.into_values() {
            put(&mut self.held, &mut self.held_left_out, || Held {
                subrun: name.clone(),
                rail: held.rail.to_string(),
                setpoint: held.setpoint.shown(),
                readback: held.readback.shown(),
                off: off(&held.setpoint, &held.readback),
            });
        }
    }
}

const fn by(by: RestoredBy) -> &'static str {
    match by {
        RestoredBy::Runner => "the runner",
        RestoredBy::Guardian => "the guardian, after the runner died",
        RestoredBy::Resume => "a resume",
        RestoredBy::Hand => "a person",
    }
}

/// How far the readback is from the setpoint at most, in billionths of it.
fn distance(held: &RailHeld) -> u128 {
    let of = |field| {
        let (set, read) = (held.setpoint.of(field)?, held.readback.of(field)?);
        (u128::from(set.abs_diff(read)) * 1_000_000_000).checked_div(u128::from(set))
    };
    RailField::ALL.into_iter().filter_map(of).max().unwrap_or(0)
}

/// `-2mV +1MHz`.
fn off(setpoint: &RailLevel, readback: &RailLevel) -> String {
    let of = |field: RailField| {
        let (set, read) = (setpoint.of(field)?, readback.of(field)?);
        let sign = if read < set { '-' } else { '+' };
        (set != read).then(|| format!("{sign}{}", field.show(set.abs_diff(read))))
    };
    RailField::ALL.into_iter().rev().filter_map(of).collect::<Vec<_>>().join(" ")
}
