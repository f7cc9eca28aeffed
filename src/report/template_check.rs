//! One template's text to what the engine renders, or why not. Refuses what the engine would find out too late or never:
//! unknown helpers, nesting without end, and the constructs by which a template can include what nobody can foresee.

use handlebars::TemplateError;
use handlebars::template::{DecoratorTemplate, HelperTemplate, Parameter, Template, TemplateElement};

use crate::domain::place::Place;
use crate::domain::problem::Problem;
use crate::input::problem::{Problems, near, quote};
use crate::input::source::Source;

/// Helpers that a template may use.
pub const HELPERS: [&str; 18] = [
    "and",
    "code",
    "each",
    "eq",
    "gt",
    "gte",
    "if",
    "len",
    "lookup",
    "lt",
    "lte",
    "ne",
    "not",
    "or",
    "raw",
    "steps_data",
    "unless",
    "with",
];

/// Blocks within blocks, and `else if` after `else if`.
const BLOCKS: usize = 32;
/// Brackets within brackets of one tag.
const BRACKETS: usize = 12;
/// Tags in one file, and its bytes: the engine counts lines from the start of the file for each tag.
const TAGS: usize = 4000;
const BYTES: usize = 256 * 1024;

/// Compiles a template and checks it. What it includes is not looked at.
pub fn compile(source: &Source) -> Result<Template, Problems> {
    if let Some(problem) = nesting(source) {
        return Err(problem.into());
    }
    let template = Template::compile_with_name(&*source.text, source.shown.to_string())
        .map_err(|error| Problems::from(of_engine(source, &error)))?;
    let mut problems = Problems::default();
    walk(&template, &mut |element, place| check(source, element, place, &mut problems));
    if problems.has_errors() { Err(problems) } else { Ok(template) }
}

/// What a template includes, and where.
pub fn partials(source: &Source, template: &Template) -> Vec<(String, Place)> {
    let mut found = vec![];
    walk(template, &mut |element, (line, column)| {
        if let TemplateElement::PartialExpression(partial) = element
            && let Some(name) = partial.name.as_name()
        {
            found.push((name.to_owned(), tag(source, line, column)));
        }
    });
    found
}

/// Every element with line and column, those within blocks included.
fn walk(template: &Template, each: &mut dyn FnMut(&TemplateElement, (usize, usize))) {
    for (element, place) in template.elements.iter().zip(&template.mapping) {
        each(element, (place.0, place.1));
        let inner: [Option<&Template>; 2] = match element {
            TemplateElement::HelperBlock(block) => [block.template.as_ref(), block.inverse.as_ref()],
            TemplateElement::PartialBlock(block) | TemplateElement::DecoratorBlock(block) => {
                [block.template.as_ref(), None]
            }
            _ => [None, None],
        };
        inner.into_iter().flatten().for_each(|template| walk(template, each));
    }
}

fn check(source: &Source, element: &TemplateElement, (line, column): (usize, usize), problems: &mut Problems) {
    let mut refuse = |message: String, help: &str| {
        problems.push(Problem::error(tag(source, line, column), message).help(help));
    };
    match element {
        TemplateElement::HelperBlock(helper) => {
            helpers(helper, true, &mut |name| refuse(unknown(name), &known(name)));
        }
        TemplateElement::Expression(helper) | TemplateElement::HtmlExpression(helper) => {
            helpers(helper, false, &mut |name| refuse(unknown(name), &known(name)));
        }
        TemplateElement::DecoratorExpression(_) | TemplateElement::DecoratorBlock(_) => {
            refuse(
                "decorators and inline partials are not for reports".to_owned(),
                "put the part into a file of its own and include it: {{> name}}",
            );
        }
        TemplateElement::PartialBlock(_) => {
            refuse("partial blocks are not for reports".to_owned(), "include the partial plainly: {{> name}}");
        }
        TemplateElement::PartialExpression(partial) => {
            if let Err(message) = plain_name(partial) {
                refuse(message, "name a file of templates/ without its .hbs: {{> name}}");
            }
        }
        TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
        _ => refuse("this is not for reports".to_owned(), "see what other templates do"),
    }
}

/// Names of helpers that are used and do not exist.
fn helpers(helper: &HelperTemplate, is_block: bool, unknown: &mut dyn FnMut(&str)) {
    let is_call = is_block || !helper.params.is_empty() || !helper.hash.is_empty();
    if let Some(name) = helper.name.as_name().filter(|name| is_call && !HELPERS.contains(name)) {
        unknown(name);
    }
    for parameter in std::iter::once(&helper.name).chain(&helper.params).chain(helper.hash.values()) {
        if let Parameter::Subexpression(inner) = parameter
            && let TemplateElement::Expression(inner) = inner.as_element()
        {
            // In brackets a name alone calls a helper as well.
            if let Some(name) = inner.name.as_name().filter(|name| !HELPERS.contains(name)) {
                unknown(name);
            }
            helpers(inner, false, unknown);
        }
    }
}

fn unknown(name: &str) -> String {
    format!("there is no helper {}", quote(name))
}

fn known(name: &str) -> String {
    match near(name, HELPERS) {
        Some(close) => format!("did you mean {}?", quote(close)),
        None => format!("helpers: {}", HELPERS.join(", ")),
    }
}

fn plain_name(partial: &DecoratorTemplate) -> Result<(), String> {
    let Some(name) = partial.name.as_name() else {
        return Err("the name of a partial cannot be computed".to_owned());
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.chars().all(plain) {
        return Err(format!("{} is no name of a partial", quote(name)));
    }
    Ok(())
}

/// The place of a tag, up to the end of its line or of itself.
pub fn tag(source: &Source, line: usize, column: usize) -> Place {
    let number = u32::try_from(line).unwrap_or(u32::MAX);
    let column = column.max(1);
    let rest: String = source.line(number).unwrap_or_default().chars().skip(column - 1).collect();
    let len = rest.find("}}").map_or(rest.chars().count(), |at| rest[..at].chars().count() + 2).max(1);
    Place::new(source.shown.clone(), number, u32::try_from(column).unwrap_or(1), u32::try_from(len).unwrap_or(1))
}

fn of_engine(source: &Source, error: &TemplateError) -> Problem {
    let (line, column) = error.pos().unwrap_or((1, 1));
    // The engine's column counts from 0 in some places and from 1 in others; the line is right in all of them.
    let reason = error.reason().to_string();
    let message = reason.lines().next().unwrap_or_default().trim().to_owned();
    Problem::error(tag(source, line, column), message).help("see handlebarsjs.com for what a template may say")
}

const SPLIT: &str = "put parts into partials: {{> name}}";

/// How deep blocks and brackets are nested, before the engine's parser goes as deep.
fn nesting(source: &Source) -> Option<Problem> {
    let text: &str = &source.text;
    if text.len() > BYTES {
        let place = crate::input::problem::whole_file(&source.shown);
        return Some(Problem::error(place, "larger than 256 KiB, the limit for a template").help(SPLIT));
    }
    let mut tags = 0;
    let mut open: Vec<usize> = vec![];
    let mut at = 0;
    while let Some(begin) = text.get(at..).and_then(|rest| rest.find("{{")).map(|found| at + found) {
        let tag = text.get(begin + 2..).unwrap_or_default();
        let end = match tag.strip_prefix("!--") {
            Some(_) => tag.find("--}}").map(|end| end + 4),
            None => tag.find("}}").map(|end| end + 2),
        };
        let Some(end) = end else { break };
        let inner = tag.get(..end).unwrap_or_default().trim_start_matches(['{', '~']).trim_start();
        let refuse = |what: String| {
            let before = text.get(..begin).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            Some(Problem::error(self::tag(source, line, column), what).help(SPLIT))
        };
        tags += 1;
        if tags > TAGS {
            return refuse(format!("more than {TAGS} tags in one template"));
        }
        match inner.chars().next() {
            Some('#') => open.push(0),
            Some('/') => drop(open.pop()),
            Some('!') => {}
            _ if inner.starts_with("else") || inner.starts_with('^') => {
                if let Some(chained) = open.last_mut() {
                    *chained += 1;
                    if *chained > BLOCKS {
                        return refuse(format!("more than {BLOCKS} `else` in one block"));
                    }
                }
            }
            _ => {}
        }
        if open.len() > BLOCKS {
            return refuse(format!("blocks are nested more than {BLOCKS} deep"));
        }
        let deepest = inner.chars().scan(0_usize, |depth, c| {
            match c {
                '(' | '[' => *depth += 1,
                ')' | ']' => *depth = depth.saturating_sub(1),
                _ => {}
            }
            Some(*depth)
        });
        if deepest.max().unwrap_or(0) > BRACKETS {
            return refuse(format!("brackets are nested more than {BRACKETS} deep"));
        }
        at = begin + 2 + end;
    }
    None
}
