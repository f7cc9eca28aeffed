//! How a rail moves: the arguments of its controller, the order of its writes, and what a readback proves. Pure: nothing
//! here moves anything. Levels are whole microvolts and kilohertz; a field that is not known is absent, never zero.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::adapter::Controller;
use crate::domain::event::RailLevel;
use crate::domain::margin::RailField;
use crate::domain::name::Name;
use crate::domain::plan::Executable;
use crate::domain::point::Rails;
use crate::domain::units::Millis;

/// Rails and where each of them is, or shall be.
pub type Levels = BTreeMap<Name, RailLevel>;

/// What a run needs of a controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PlannedController {
    /// The program.
    pub executable: Executable,
    /// The planned rails that it drives.
    pub rails: Vec<Name>,
    /// Arguments that apply a setpoint, with placeholders.
    pub apply: Vec<String>,
    /// Arguments that print the readback.
    pub read: Vec<String>,
    /// Arguments that bring the rail home.
    pub restore: Vec<String>,
    /// Largest distance between setpoint and readback, in microvolts; none when it has to be exact.
    pub voltage_tolerance_uv: u64,
    /// Likewise in kilohertz.
    pub frequency_tolerance_khz: u64,
    /// Larger moves are ramped, in microvolts.
    pub max_step_uv: Option<u64>,
    /// After each setpoint, before anything else.
    pub settle_ms: Millis,
    /// A call that takes longer has failed.
    pub timeout_ms: Millis,
}

/// The placeholder of a field among a controller's arguments.
pub const fn placeholder(field: RailField) -> &'static str {
    match field {
        RailField::Voltage => "{voltage_uv}",
        RailField::Frequency => "{frequency_khz}",
    }
}

/// Whether arguments that apply a setpoint drive that field.
fn drives(apply: &[String], field: RailField) -> bool {
    apply.iter().any(|argument| argument.contains(placeholder(field)))
}

impl Controller {
    /// Whether it drives a field of its rails: its setpoint stands among the arguments that apply.
    pub fn drives(&self, field: RailField) -> bool {
        drives(&self.apply, field)
    }
}

impl PlannedController {
    /// As its manifest says, of no rail yet.
    pub fn of(controller: &Controller, executable: Executable) -> Self {
        Self {
            executable,
            rails: vec![],
            apply: controller.apply.clone(),
            read: controller.read.clone(),
            restore: controller.restore.clone(),
            voltage_tolerance_uv: controller.voltage_tolerance.unwrap_or(0),
            frequency_tolerance_khz: controller.frequency_tolerance.unwrap_or(0),
            max_step_uv: controller.max_step,
            settle_ms: controller.settle,
            timeout_ms: controller.timeout,
        }
    }

    /// Whether it drives a field of its rails: its setpoint stands among the arguments that apply.
    pub fn drives(&self, field: RailField) -> bool {
        drives(&self.apply, field)
    }

    fn tolerance(&self, field: RailField) -> u64 {
        match field {
            RailField::Voltage => self.voltage_tolerance_uv,
            RailField::Frequency => self.frequency_tolerance_khz,
        }
    }

    /// What `read` printed: `voltage_uv=850000 frequency_khz=3200000`, or one bare integer where it drives one field.
    /// Every field that it drives has to be there. Errors say what was printed instead.
    pub fn readback(&self, printed: &str) -> Result<RailLevel, String> {
        let driven: Vec<RailField> = RailField::ALL.into_iter().filter(|field| self.drives(*field)).collect();
        let mut level = RailLevel::default();
        let mut words = printed.split_whitespace();
        if let ([field], Some(word), None) = (driven.as_slice(), words.next(), words.next())
            && let Ok(value) = word.parse()
        {
            level.set(*field, Some(value));
            return Ok(level);
        }
        for word in printed.split_whitespace() {
            let known = RailField::ALL.into_iter().find_map(|field| {
                let name = placeholder(field).trim_matches(['{', '}']);
                Some((field, word.strip_prefix(name)?.strip_prefix('=')?))
            });
            let Some((field, value)) = known else { return Err(format!("printed {}", shortened(printed))) };
            let Ok(value) = value.parse() else { return Err(format!("printed {}", shortened(printed))) };
            level.set(field, Some(value));
        }
        match driven.iter().find(|field| level.of(**field).is_none()) {
            Some(missing) => Err(format!("printed no {missing}: {}", shortened(printed))),
            None => Ok(level),
        }
    }

    /// Whether a readback is where the setpoint wants it. The error says what is how far off.
    pub fn holds(&self, setpoint: &RailLevel, readback: &RailLevel) -> Result<(), String> {
        for field in RailField::ALL {
            let Some(wanted) = setpoint.of(field) else { continue };
            let Some(got) = readback.of(field) else { return Err(format!("no {field} was read back")) };
            let (off, tolerance) = (wanted.abs_diff(got), self.tolerance(field));
            if off > tolerance {
                let show = |value| field.show(value);
                return Err(format!(
                    "{field} reads {} where {} was set; {} off, {} is tolerated",
                    show(got),
                    show(wanted),
                    show(off),
                    show(tolerance)
                ));
            }
        }
        Ok(())
    }
}

/// What was printed, in so many characters that a message can hold it.
fn shortened(printed: &str) -> String {
    const MOST: usize = 80;
    let text = printed.trim();
    if text.is_empty() {
        return "nothing".to_owned();
    }
    let mut quoted: String = text.chars().take(MOST).collect();
    if text.chars().count() > MOST {
        quoted.push_str("..");
    }
    format!("{quoted:?}")
}

impl RailLevel {
    /// The value of a field, in base units.
    pub const fn of(&self, field: RailField) -> Option<u64> {
        match field {
            RailField::Voltage => self.voltage_uv,
            RailField::Frequency => self.frequency_khz,
        }
    }

    /// Sets the value of a field, or takes it away.
    pub const fn set(&mut self, field: RailField, value: Option<u64>) {
        match field {
            RailField::Voltage => self.voltage_uv = value,
            RailField::Frequency => self.frequency_khz = value,
        }
    }

    /// Whether no field is known.
    pub const fn is_empty(&self) -> bool {
        self.voltage_uv.is_none() && self.frequency_khz.is_none()
    }

    /// `850mV 3.2GHz`, for people.
    pub fn shown(&self) -> String {
        let fields = RailField::ALL.into_iter().rev();
        let shown: Vec<String> = fields.filter_map(|field| Some(field.show(self.of(field)?))).collect();
        if shown.is_empty() { "unknown".to_owned() } else { shown.join(" ") }
    }
}

/// Arguments with a level filled in: a placeholder with no value drops its argument.
pub fn arguments(list: &[String], rail: &Name, level: &RailLevel) -> Vec<String> {
    let mut filled = vec![];
    for argument in list {
        let mut text = argument.replace("{rail}", rail.as_str());
        let mut has_value = true;
        for field in RailField::ALL.into_iter().filter(|field| argument.contains(placeholder(*field))) {
            match level.of(field) {
                Some(value) => text = text.replace(placeholder(field), &value.to_string()),
                None => has_value = false,
            }
        }
        if has_value {
            filled.push(text);
        }
    }
    filled
}

/// The controllers of a plan, by name.
pub type Controllers = BTreeMap<Name, PlannedController>;

/// The controller of a rail.
pub fn controller_of<'c>(controllers: &'c Controllers, rail: &Name) -> Option<(&'c Name, &'c PlannedController)> {
    controllers.iter().find(|(_, controller)| controller.rails.contains(rail))
}

/// Where a step wants the rails that have a controller. A rail that it does not name is not among them: it stays home.
pub fn setpoints(controllers: &Controllers, seen: &Rails) -> Levels {
    let mut levels = Levels::new();
    for (rail, setting) in seen {
        let Some((_, controller)) = controller_of(controllers, rail) else { continue };
        let mut level = RailLevel::default();
        for field in RailField::ALL.into_iter().filter(|field| controller.drives(*field)) {
            level.set(field, setting.commanded(field));
        }
        if !level.is_empty() {
            levels.insert(rail.clone(), level);
        }
    }
    levels
}

/// One write: a rail and the level that it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Which.
    pub rail: Name,
    /// What it is told. A field that is to stay where it is stands there too, if its value is known and it is driven.
    pub level: RailLevel,
}

/// The writes that take the rails from where they are to where they shall be, in the order in which no level on the way
/// is worse than both its ends: all frequencies that go down, then the voltages in ramps, then the frequencies that go up.
/// A field of `to` that is not known in `from` is written in one go, a frequency last.
pub fn walk(controllers: &Controllers, from: &Levels, to: &Levels) -> Vec<Write> {
    let mut at: Levels = Levels::new();
    let mut writes = vec![];
    let nowhere = RailLevel::default();
    for (rail, target) in to {
        let start = from.get(rail).unwrap_or(&nowhere);
        // What is not to be set is not told either: a field that the point leaves alone stays the rail's own.
        let mut known = RailLevel::default();
        for field in RailField::ALL {
            known.set(field, start.of(field).filter(|_| target.of(field).is_some()));
        }
        at.insert(rail.clone(), known);
    }
    let mut write = |at: &mut Levels, rail: &Name, field: RailField, value: u64| {
        if let Some(level) = at.get_mut(rail) {
            level.set(field, Some(value));
            writes.push(Write { rail: rail.clone(), level: *level });
        }
    };
    let change = |at: &Levels, rail: &Name, target: &RailLevel, field: RailField| {
        let wanted = target.of(field)?;
        let now = at.get(rail).and_then(|level| level.of(field));
        (now != Some(wanted)).then_some((now, wanted))
    };
    for (rail, target) in to {
        if let Some((Some(now), wanted)) = change(&at, rail, target, RailField::Frequency)
            && wanted < now
        {
            write(&mut at, rail, RailField::Frequency, wanted);
        }
    }
    for (rail, target) in to {
        let Some((now, wanted)) = change(&at, rail, target, RailField::Voltage) else { continue };
        let max_step = controller_of(controllers, rail).and_then(|(_, controller)| controller.max_step_uv);
        for value in ramp(now, wanted, max_step) {
            write(&mut at, rail, RailField::Voltage, value);
        }
    }
    for (rail, target) in to {
        if let Some((_, wanted)) = change(&at, rail, target, RailField::Frequency) {
            write(&mut at, rail, RailField::Frequency, wanted);
        }
    }
    writes
}

/// The voltages on the way, the last one the wanted, none further from the one before than `max_step`.
fn ramp(from: Option<u64>, to: u64, max_step: Option<u64>) -> Vec<u64> {
    let (Some(from), Some(step)) = (from, max_step.filter(|step| *step > 0)) else { return vec![to] };
    let count = from.abs_diff(to).div_ceil(step).max(1);
    let on_the_way = (1..count).map(|n| {
        let moved = n.saturating_mul(step);
        if to < from { from.saturating_sub(moved) } else { from.saturating_add(moved) }
    });
    on_the_way.chain([to]).collect()
}

#[cfg(test)]
mod tests;
