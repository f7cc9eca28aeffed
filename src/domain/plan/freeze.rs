//! Freezing: the digest over the experiment, and whether a plan that was read is whole. Never writes a plan.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::{Axis, Experiment, FORMAT_VERSION, Plan};
use crate::domain::host::HostFacts;
use crate::domain::planner::MAX_EXECUTIONS;
use crate::domain::table::Table;

impl Plan {
    /// Freezes an experiment.
    pub fn freeze(
        experiment: Experiment,
        unit: Option<String>,
        host: HostFacts,
        found: BTreeMap<String, String>,
    ) -> serde_json::Result<Self> {
        let digest = experiment.digest()?;
        Ok(Self { format_version: FORMAT_VERSION, digest, unit, host, found, experiment })
    }

    /// Whether the experiment is the one that the digest was made of.
    pub fn is_intact(&self) -> bool {
        self.experiment.digest().is_ok_and(|digest| digest == self.digest)
    }

    /// The first six hex digits, as in run ids.
    pub fn short_digest(&self) -> &str {
        self.digest.get(..6).unwrap_or(&self.digest)
    }

    /// The unit as arguments and environments show it.
    pub fn unit_text(&self) -> &str {
        self.unit.as_deref().unwrap_or("")
    }
}

impl Experiment {
    /// SHA-256, in hex, over the canonical JSON. The point tables are streamed, since they may hold a million rows.
    pub fn digest(&self) -> serde_json::Result<String> {
        const TABLES: [&str; 2] = ["offsets", "points"];
        let mut head = self.without_tables();
        let mut hash = HashWriter(Sha256::new());
        let serde_json::Value::Object(map) = serde_json::to_value(&mut head)? else {
            return Err(serde::ser::Error::custom("an experiment is an object"));
        };
        for (position, (key, value)) in map.iter().enumerate() {
            hash.0.update(if position == 0 { "{" } else { "," });
            serde_json::to_writer(&mut hash, key)?;
            hash.0.update(":");
            match TABLES.iter().position(|t| t == key) {
                Some(0) => serde_json::to_writer(&mut hash, &self.offsets)?,
                Some(_) => serde_json::to_writer(&mut hash, &self.points)?,
                None => serde_json::to_writer(&mut hash, value)?,
            }
        }
        hash.0.update("}");
        Ok(hash.0.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
            hex.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            hex.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
            hex
        }))
    }

    /// Whether the tables fit the axes and the jitter, so that no point lacks a field it should have, and whether the
    /// steps can be counted.
    pub fn is_sound(&self) -> bool {
        let even = |axis: &Axis| {
            axis.columns.values().all(|c| c.len() == axis.len())
                && (axis.labels.is_empty() || axis.labels.len() == axis.len())
        };
        let fits = |row: &[u32]| {
            row.len() == self.axes.len() && self.axes.iter().zip(row).all(|(axis, at)| (*at as usize) < axis.len())
        };
        let steps_run = self
            .steps
            .iter()
            .all(|s| s.repeat > 0 && !s.combinations.is_empty() && self.adapters.contains_key(&s.adapter));
        let line = self.stop_line.axis.is_none_or(|axis| (axis as usize) < self.axes.len());
        self.axes.iter().all(even)
            && self.points.iter().all(fits)
            && self.points.rows() > 0
            && steps_run
            && line
            && u64::from(self.executions()) <= MAX_EXECUTIONS
            && (self.jitter.is_empty()
                || (self.offsets.rows() == self.points.rows() && self.offsets.width() == self.jitter.len()))
    }

    fn without_tables(&self) -> Self {
        // Everything but the tables is small; cloning them to drop them would not be.
        Self {
            points: Table::default(),
            offsets: Table::default(),
            flow: self.flow.clone(),
            margin: self.margin.clone(),
            policy: self.policy.clone(),
            profiles: self.profiles.clone(),
            global_seed: self.global_seed,
            bounds: self.bounds.clone(),
            inputs: self.inputs.clone(),
            adapters: self.adapters.clone(),
            controllers: self.controllers.clone(),
            steps: self.steps.clone(),
            settle_ms: self.settle_ms,
            stop_line: self.stop_line.clone(),
            order: self.order,
            nominal: self.nominal.clone(),
            fixed: self.fixed.clone(),
            axes: self.axes.clone(),
            jitter: self.jitter.clone(),
        }
    }
}

struct HashWriter(Sha256);

impl std::io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
