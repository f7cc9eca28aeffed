//! Where everything stands: a pure function of the size, the pane with the keys and the zoom. Never draws.
//!
//! From 160 columns three columns of panes, from 60 two, below that one pane and a bar of panes, and below 40 by 10 a
//! status line with the last line of the log. Every rectangle lies within the screen, whatever its size.

use ratatui::layout::Rect;

use crate::tui::actions::Pane;

/// What the layout depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Columns of the screen.
    pub width: u16,
    /// Rows of the screen.
    pub height: u16,
    /// The pane that has the keys.
    pub focus: Pane,
    /// It has all the room.
    pub zoom: bool,
    /// There is a grid to draw; else the steps take its room.
    pub grid: bool,
}

/// Where everything stands; what has no room has no rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layout {
    /// The line at the top.
    pub header: Rect,
    /// Each pane with its frame, in the order of [`Pane::ALL`].
    pub panes: [Option<Rect>; 7],
    /// One pane at a time: the bar that names them all.
    pub bar: Option<Rect>,
    /// What has to be said.
    pub message: Option<Rect>,
    /// The headless command of what is on screen.
    pub command: Option<Rect>,
    /// The keys that work here.
    pub footer: Option<Rect>,
    /// Too small for panes: the last line of the log.
    pub last_line: Option<Rect>,
}

/// From so many columns on there are three columns of panes.
const THREE: u16 = 160;
/// From so many there are two.
const TWO: u16 = 60;

impl Layout {
    /// Where everything stands on a screen.
    pub fn of(shape: Shape) -> Self {
        let screen = Rect::new(0, 0, shape.width, shape.height);
        let mut layout = Self { header: row(screen, 0), ..Self::default() };
        if shape.width < 40 || shape.height < 10 {
            layout.last_line = Some(row(screen, 1)).filter(|area| !area.is_empty());
            layout.message = (shape.height > 2).then(|| row(screen, shape.height - 1));
            return layout;
        }
        let roomy = shape.height >= 30 && shape.width >= 100;
        let below = if roomy { 3 } else { 2 };
        layout.footer = Some(row(screen, shape.height - 1));
        layout.message = Some(row(screen, shape.height - below));
        layout.command = roomy.then(|| row(screen, shape.height - 2));
        let body = Rect::new(0, 1, shape.width, shape.height - 1 - below);
        if shape.width < TWO {
            layout.bar = Some(row(body, 0));
            layout.put(shape.focus, rest(body, 1));
            return layout;
        }
        if shape.zoom {
            layout.put(shape.focus, body);
        } else if shape.width < THREE {
            layout.two(body, shape);
        } else {
            layout.three(body, shape);
        }
        // The pane with the keys is always seen: where the others leave it less than a frame it has it all.
        if layout.pane(shape.focus).is_none_or(|area| area.height < 3) {
            layout.panes = [None; 7];
            layout.put(shape.focus, body);
        }
        layout
    }

    /// Where a pane stands.
    pub fn pane(&self, pane: Pane) -> Option<Rect> {
        self.panes.get(pane as usize).copied().flatten()
    }

    /// The pane at a place on the screen.
    pub fn at(&self, column: u16, row: u16) -> Option<Pane> {
        Pane::ALL.into_iter().find(|pane| self.pane(*pane).is_some_and(|area| area.contains((column, row).into())))
    }

    fn put(&mut self, pane: Pane, area: Rect) {
        if let Some(slot) = self.panes.get_mut(pane as usize) {
            *slot = Some(area).filter(|area| !area.is_empty());
        }
    }

    fn two(&mut self, body: Rect, shape: Shape) {
        let left = left_width(body.width);
        self.choices(Rect { width: left, ..body });
        let right = Rect { x: body.x + left, width: body.width - left, ..body };
        let (shmoo, steps) = if shape.grid { share(right.height) } else { (info(right.height), right.height / 2) };
        let steps = steps.min(right.height - shmoo);
        self.stack(right, &[(Pane::Shmoo, shmoo), (Pane::Steps, steps), (Pane::Log, u16::MAX)]);
        // Telemetry has no room of its own here: with the keys it takes that of the steps and the log.
        if shape.focus == Pane::Telemetry {
            self.stack(rest(right, shmoo), &[(Pane::Telemetry, u16::MAX)]);
            self.panes[Pane::Steps as usize] = None;
            self.panes[Pane::Log as usize] = None;
        }
    }

    fn three(&mut self, body: Rect, shape: Shape) {
        let left = left_width(body.width);
        self.choices(Rect { width: left, ..body });
        let right_width = (body.width - left) * 2 / 5;
        let middle = Rect { x: body.x + left, width: body.width - left - right_width, ..body };
        let right = Rect { x: middle.right(), width: right_width, ..body };
        let shmoo = if shape.grid { (middle.height * 3 / 5).max(12) } else { info(middle.height) };
        self.stack(middle, &[(Pane::Shmoo, shmoo), (Pane::Log, u16::MAX)]);
        self.stack(right, &[(Pane::Steps, right.height * 3 / 5), (Pane::Telemetry, u16::MAX)]);
    }

    /// Flows, margins and runs over each other; where there is little room the one with the keys is not the smallest.
    fn choices(&mut self, area: Rect) {
        let each = match area.height {
            0..=23 => 3,
            24..=28 => 5,
            29..=39 => 8,
            _ => 12,
        };
        self.stack(
            area,
            &[(Pane::Flows, each), (Pane::Margins, each.saturating_sub(1).max(3)), (Pane::Runs, u16::MAX)],
        );
    }

    /// Panes over each other with so many rows each; the last gets what is left.
    fn stack(&mut self, area: Rect, panes: &[(Pane, u16)]) {
        let mut left = area;
        for (pane, rows) in panes {
            let height = (*rows).min(left.height);
            self.put(*pane, Rect { height, ..left });
            left = rest(left, height);
        }
    }
}

fn left_width(width: u16) -> u16 {
    match width {
        0..=79 => 22,
        80..=99 => 25,
        _ => 36,
    }
}

/// Rows of shmoo and steps where the log is below them.
fn share(height: u16) -> (u16, u16) {
    match height {
        0..=16 => (height * 3 / 5, height / 5),
        17..=23 => (11, 5),
        24..=27 => (13, 6),
        _ => (height / 2, height / 5),
    }
}

/// Rows of the shmoo's pane where there is no grid.
fn info(height: u16) -> u16 {
    if height < 24 { 5 } else { 8 }
}

fn row(area: Rect, at: u16) -> Rect {
    Rect { y: area.y.saturating_add(at), height: 1, ..area }.intersection(area)
}

fn rest(area: Rect, from: u16) -> Rect {
    let from = from.min(area.height);
    Rect { y: area.y + from, height: area.height - from, ..area }
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
