//! The application from its opening to its end: takes the terminal, begins what goes on behind the screen, runs the loop,
//! gives the terminal back. Never hosts a sweep: when it goes, whatever it started goes on.

use std::io::{self, BufWriter, Stdout, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::channel;

use ratatui::Terminal;

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::launch::Launch;
use crate::domain::keymap::Keymap;
use crate::domain::run_state::RunState;
use crate::domain::theme::{Depth, Theme};
use crate::domain::time::Timestamp;
use crate::host::roots;
use crate::input::source::Sources;
use crate::input::{keymap, render};
use crate::tui::actions;
use crate::tui::backstage::{Backstage, now};
use crate::tui::canvas::Look;
use crate::tui::clipboard;
use crate::tui::guard::{Guard, this_program};
use crate::tui::message::{Effect, Exit, Msg, Order};
use crate::tui::model::{Model, Surroundings};
use crate::tui::palette::Palette;
use crate::tui::run_loop::{self, Stage};
use crate::tui::schedule::Schedule;
use crate::tui::screen::Screen;
use crate::tui::update::update;

/// How the application is to look and what it begins with.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Options {
    /// The theme, already found.
    pub theme: Theme,
    /// How many colours the terminal shows.
    pub depth: Depth,
    /// Frames and bars of ASCII only.
    pub ascii: bool,
    /// Things that wait may turn.
    pub motion: bool,
    /// The terminal is at the other end of a network connection.
    pub remote: bool,
    /// The workspace is where the program finds it by itself from the current folder.
    pub workspace_is_found: bool,
    /// The user's editor, as `$VISUAL` or `$EDITOR` name it.
    pub editor: Option<String>,
    /// What a command line asks for.
    pub errand: Option<Errand>,
}

/// What a command line asks for.
#[derive(Debug)]
pub enum Errand {
    /// To be confirmed first.
    Ask(Order),
    /// Confirmed already.
    Start(Launch),
}

/// How the application was left.
#[derive(Debug)]
pub enum Left {
    /// By its user, with nothing to tell.
    Quit,
    /// While the run that a command line asked for goes on, or another that was open.
    Going {
        /// The run.
        run_id: String,
        /// How to come back.
        back: String,
    },
    /// After the run that a command line asked for had ended.
    Ended(Box<RunState>, PathBuf),
    /// What a command line asked for was declined.
    Declined,
    /// By a signal.
    Signal(u8),
}

/// Opens the application and returns once it is left. Errors: the terminal cannot be taken, or is gone.
pub fn open(context: &Context, options: Options) -> Result<Left, Failure> {
    let broken = |error: io::Error| Failure::rig(format!("failed to use the terminal: {error}"));
    let program = this_program();
    let (keymap, refused) = keys(context);
    let size = crossterm::terminal::size().map_err(broken)?;
    let around = Surroundings {
        workspace: context.workspace.clone(),
        workspace_is_found: options.workspace_is_found,
        runs: (context.runs != context.workspace.join("runs")).then(|| context.runs.clone()),
        depth: options.depth,
        host: roots::hostname(&context.roots).unwrap_or_default(),
    };
    let look =
        Look { palette: Palette::new(&options.theme, options.depth), ascii: options.ascii, motion: options.motion };
    let mut model = Model::new(size, look, around, keymap, now());
    let (out, inbox) = channel();
    let backstage = Backstage::start(context.clone(), program.clone().unwrap_or_default(), out.clone(), options.depth);
    let mut house = House { backstage: backstage.map_err(broken)?, guard: None, editor: options.editor };
    house.guard = Some(Guard::enter(true, program.as_deref()).map_err(broken)?);
    let stream = BufWriter::with_capacity(1 << 16, io::stdout());
    let mut terminal = Terminal::new(Screen::new(stream)).map_err(broken)?;
    begin(&mut model, &house, options.errand, refused);
    let exit = run_loop::run(&mut terminal, &mut model, &inbox, &mut house, Schedule::new(options.remote));
    // The terminal first, whatever else there is to end.
    drop(terminal);
    house.guard = None;
    drop(house);
    Ok(match exit {
        Ok(exit) => left(model, &exit),
        // A terminal that is gone is a hangup: nothing is left to say it on.
        Err(_) => Left::Signal(1),
    })
}

/// The user's keys, or the shipped ones and why.
fn keys(context: &Context) -> (Keymap, Vec<String>) {
    let table = actions::bindable();
    let shipped = || Keymap::defaults(&table).unwrap_or_default();
    let Some(config) = &context.config else { return (shipped(), vec![]) };
    let (keymap, problems, source) = keymap::load(&config.join(keymap::FILE), &table);
    let mut sources = Sources::default();
    if let Some(source) = source {
        sources.add(source);
    }
    let report = render::render(&problems, &sources, false);
    (keymap.unwrap_or_else(shipped), report.lines().map(str::to_owned).collect())
}

/// What is asked for before the first frame; none of it is waited for.
fn begin(model: &mut Model, house: &House, errand: Option<Errand>, refused: Vec<String>) {
    let ask = |effect| house.backstage.ask(effect);
    ask(Effect::ListRuns);
    ask(Effect::ReadWorkspace);
    ask(Effect::ReadThemes);
    match errand {
        Some(Errand::Ask(order)) => {
            let ticket = model.ticket();
            model.waiting = Some((ticket, "looking at the limits"));
            model.errand = Some(String::new());
            model.choice.unit.clone_from(&order.unit);
            ask(Effect::Propose(ticket, order));
        }
        Some(Errand::Start(launch)) => {
            let ticket = model.ticket();
            model.waiting = Some((ticket, "starting"));
            model.errand = Some(String::new());
            ask(Effect::Start(ticket, Box::new(launch)));
        }
        None => {}
    }
    if !refused.is_empty() {
        drop(update(model, Msg::KeysRefused(refused), now()));
    }
}

fn left(model: Model, exit: &Exit) -> Left {
    let back = crate::tui::command_line::back(&model);
    let asked = model.errand.clone();
    let live = model.live().map(|run| run.state.header.run_id.clone());
    match exit {
        Exit::Signal(signal) => Left::Signal(*signal),
        Exit::Declined => Left::Declined,
        Exit::Left => match (asked, live) {
            (_, Some(run_id)) => Left::Going { run_id, back },
            (Some(asked), None) => match model.subject {
                crate::tui::model::Subject::Run(run) if run.state.header.run_id == asked => {
                    let dir = run.dir.root().to_owned();
                    Left::Ended(Box::new(run.state), dir)
                }
                // Another run was looked at: what became of the one that was asked for its record says.
                _ if asked.is_empty() => Left::Declined,
                _ => Left::Going { run_id: asked, back },
            },
            (None, None) => Left::Quit,
        },
    }
}

/// What owns the terminal and what goes on behind the screen.
struct House {
    backstage: Backstage,
    guard: Option<Guard>,
    editor: Option<String>,
}

type RealTerminal = Terminal<Screen<BufWriter<Stdout>>>;

impl Stage<Screen<BufWriter<Stdout>>> for House {
    fn now(&self) -> Timestamp {
        now()
    }

    fn perform(&mut self, terminal: &mut RealTerminal, model: &mut Model, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::Yank(text) => terminal.backend_mut().send(clipboard::sequence(&text).as_bytes()),
            Effect::Redraw => self.again(terminal, model),
            Effect::Mouse(ours) => self.guard.as_mut().map_or(Ok(()), |guard| guard.mouse(ours)),
            Effect::Suspend => {
                self.away(|| {
                    // To the whole group, as the terminal would: a shell waits for all of it.
                    let stopped = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
                    debug_assert!(stopped.is_ok(), "our own group is always there");
                });
                self.again(terminal, model)
            }
            Effect::Edit(path) => {
                let editor = self.editor.clone().unwrap_or_else(|| "vi".to_owned());
                let said = self.away(|| edit(&editor, &path).err());
                self.again(terminal, model)?;
                if let Some(error) = said {
                    model.say(crate::tui::model::Tone::Error, format!("{editor} could not be started: {error}"));
                }
                self.backstage.ask(Effect::ReadWorkspace);
                Ok(())
            }
            effect => {
                self.backstage.ask(effect);
                Ok(())
            }
        }
    }
}

impl House {
    /// Leaves the terminal to somebody else for as long as `meanwhile` takes.
    fn away<T>(&self, meanwhile: impl FnOnce() -> T) -> T {
        self.backstage.pause();
        if let Some(guard) = &self.guard {
            guard.leave();
        }
        let result = meanwhile();
        self.backstage.resume();
        result
    }

    /// Takes the terminal again and has everything drawn anew.
    fn again(&self, terminal: &mut RealTerminal, model: &mut Model) -> io::Result<()> {
        if let Some(guard) = &self.guard {
            guard.take()?;
        }
        terminal.backend_mut().forget();
        terminal.clear()?;
        model.dirty = true;
        Ok(())
    }
}

/// Opens a file in an editor whose name may have arguments, as `code --wait`.
fn edit(editor: &str, path: &Path) -> io::Result<()> {
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status = Command::new(program).args(words).arg(path).status()?;
    drop(io::stdout().flush());
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("it ended with {status}"))) }
}
