//! stub
use crate::store::log_reader::LogFiles;
use crate::tui::log_thread::*;
use crate::tui::palette::Palette;
use ratatui::{buffer::Buffer, layout::Rect};
/// x
#[derive(Debug, Default)]
pub struct LogPane;
/// x
#[derive(Debug)]
pub enum LogAct {
    Up(u16),
    Down(u16),
    Left,
    Right,
    Top,
    Bottom,
    PageUp,
    PageDown,
    Follow,
    Wrap,
    Time,
    Streams,
    NextHit,
    PreviousHit,
    NextStderr,
    PreviousStderr,
    Search(String),
    Filter(String),
}
#[allow(missing_docs)]
impl LogPane {
    pub fn show(&mut self, _: Option<(String, LogFiles, bool)>) -> Vec<LogRequest> {
        vec![]
    }
    pub fn over(&mut self, _: Option<(String, LogFiles, bool)>) -> Vec<LogRequest> {
        vec![]
    }
    pub fn act(&mut self, _: LogAct) -> Vec<LogRequest> {
        vec![]
    }
    pub fn receive(&mut self, _: LogReply) {}
    pub fn resize(&mut self, _: u16, _: u16) -> Vec<LogRequest> {
        vec![]
    }
    pub fn yank(&self) -> Option<String> {
        None
    }
    pub fn title(&self) -> String {
        String::new()
    }
    pub fn status(&self) -> String {
        String::new()
    }
    pub fn search_status(&self) -> String {
        String::new()
    }
    pub fn last_line(&self) -> Option<String> {
        None
    }
    pub fn search(&self) -> &str {
        ""
    }
    pub fn filter(&self) -> &str {
        ""
    }
    pub fn view(&self, _: Rect, _: &mut Buffer, _: &Palette, _: bool) {}
}
