//! What templates can do beyond the engine's own: lists that are made row by row, the page's data, text for Markdown.
//! Counts what is rendered, so that no template goes on without end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use handlebars::{
    BlockContext, BlockParams, Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext,
    RenderError, RenderErrorReason, Renderable,
};
use serde_json::Value;

/// The key of the object that stands in for a list made row by row. No field of a record can be called so.
const STREAM: &str = "\u{0}rows";

/// More rows than this are rendered by nothing but a template that has lost its way.
const MOST_ROWS: u64 = 20_000_000;

/// A list that is made row by row while it is rendered.
pub trait Stream: Sync {
    /// Hands over rows in order, each with whether it is the last, until `each` says that it wants no more.
    fn rows(&self, each: &mut dyn FnMut(Value) -> Result<bool, RenderError>) -> Result<(), RenderError>;
}

/// What stands in for the list called `name` in the context.
pub fn stand_in(name: &str) -> Value {
    serde_json::json!({ STREAM: name })
}

/// `{{#each list limit=200}}`: lists that are there, and lists that are made row by row.
pub struct Each<'s> {
    streams: &'s BTreeMap<String, Box<dyn Stream + Send + 's>>,
    is_streaming: AtomicBool,
    rendered: AtomicU64,
}

impl<'s> Each<'s> {
    /// Over those lists.
    pub fn new(streams: &'s BTreeMap<String, Box<dyn Stream + Send + 's>>) -> Self {
        Self { streams, is_streaming: AtomicBool::new(false), rendered: AtomicU64::new(0) }
    }

    fn count(&self) -> Result<(), RenderError> {
        if self.rendered.fetch_add(1, Ordering::Relaxed) < MOST_ROWS {
            return Ok(());
        }
        Err(refusal(format!("more than {MOST_ROWS} rows: a list within a list grows too large")))
    }
}

fn refusal(message: String) -> RenderError {
    RenderErrorReason::Other(message).into()
}

impl HelperDef for Each<'_> {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        r: &'reg Handlebars<'reg>,
        ctx: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let list = h.param(0).ok_or(RenderErrorReason::ParamNotFoundForIndex("each", 0))?;
        let Some(template) = h.template() else { return Ok(()) };
        let limit = h.hash_get("limit").and_then(|limit| limit.value().as_u64()).unwrap_or(u64::MAX);
        let mut place = 0_u64;
        rc.push_block(BlockContext::new());
        // Renders one row; the row before is held back until it is known whether it is the last.
        let mut row = |key: Option<&str>, value: Value, is_last: bool| -> HelperResult {
            self.count()?;
            if let Some(block) = rc.block_mut() {
                block.set_local_var("first", Value::from(place == 0));
                block.set_local_var("last", Value::from(is_last));
                block.set_local_var("index", Value::from(place));
                let key = key.map_or_else(|| Value::from(place), Value::from);
                block.set_local_var("key", key.clone());
                if let Some(name) = h.block_param() {
                    let mut params = BlockParams::new();
                    params.add_value(name, value.clone())?;
                    block.set_block_params(params);
                } else if let Some((name, of_key)) = h.block_param_pair() {
                    let mut params = BlockParams::new();
                    params.add_value(name, value.clone())?;
                    params.add_value(of_key, key)?;
                    block.set_block_params(params);
                }
                block.set_base_value(value);
            }
            place += 1;
            template.render(r, ctx, rc, out)
        };
        let is_list = match list.value() {
            Value::Array(values) => {
                let wanted = usize::try_from(limit).unwrap_or(usize::MAX).min(values.len());
                for (at, value) in values.iter().take(wanted).enumerate() {
                    row(None, value.clone(), at + 1 == wanted)?;
                }
                true
            }
            Value::Object(map) => {
                if let Some(name) = map.get(STREAM).and_then(Value::as_str) {
                    self.stream(name, limit, &mut |value, is_last| row(None, value, is_last))?;
                } else {
                    let wanted = usize::try_from(limit).unwrap_or(usize::MAX).min(map.len());
                    for (at, (key, value)) in map.iter().take(wanted).enumerate() {
                        row(Some(key), value.clone(), at + 1 == wanted)?;
                    }
                }
                true
            }
            _ => false,
        };
        rc.pop_block();
        match h.inverse() {
            Some(otherwise) if !is_list || place == 0 => otherwise.render(r, ctx, rc, out),
            _ => Ok(()),
        }
    }
}

impl Each<'_> {
    fn stream(&self, name: &str, limit: u64, row: &mut dyn FnMut(Value, bool) -> HelperResult) -> HelperResult {
        let Some(stream) = self.streams.get(name) else { return Ok(()) };
        if limit == 0 {
            return Ok(());
        }
        if self.is_streaming.swap(true, Ordering::Relaxed) {
            return Err(refusal(format!("`{name}` within another list that is made row by row")));
        }
        let mut held: Option<Value> = None;
        let mut taken = 0;
        let result = stream.rows(&mut |value| {
            if let Some(before) = held.take() {
                row(before, false)?;
            }
            held = Some(value);
            taken += 1;
            Ok(taken < limit)
        });
        let result = result.and_then(|()| held.map_or(Ok(()), |last| row(last, true)));
        self.is_streaming.store(false, Ordering::Relaxed);
        result
    }
}

/// `{{steps_data}}`: the rows for the page's own script, safe inside a script element.
pub struct StepsData<'s>(pub &'s [u8]);

impl HelperDef for StepsData<'_> {
    fn call<'reg: 'rc, 'rc>(
        &self,
        _: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        Ok(out.write(&String::from_utf8_lossy(self.0))?)
    }
}

/// `{{code text}}`: text for a block that `~~~~` fences in Markdown; it cannot close the fence.
pub struct Code;

impl HelperDef for Code {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let value = h.param(0).map(|param| param.value().clone()).unwrap_or_default();
        Ok(out.write(&code(value.as_str().unwrap_or_default()))?)
    }
}

fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
        }
        // A fence may be indented by as many as three blanks; a word joiner would be invisible, a blank is not.
        if line.trim_start().starts_with("~~~") {
            let (blanks, rest) = line.split_at(line.len() - line.trim_start().len());
            out.push_str(blanks);
            out.push_str("~ ");
            out.push_str(rest.get(1..).unwrap_or_default());
        } else {
            out.push_str(line);
        }
    }
    out
}

/// Text as Markdown shows it, also in a cell of a table.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' | '\r' => out.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_stays_text() {
        assert_eq!(markdown("a_b|*c* <img> [x](y)\n# z"), "a\\_b\\|\\*c\\* &lt;img&gt; \\[x\\](y) # z");
        assert_eq!(code("~~~~\nrm\n  ~~~~ x\n~~ y"), "~ ~~~\nrm\n  ~ ~~~ x\n~~ y");
    }
}
