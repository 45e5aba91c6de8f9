//! Writes man(7): a few requests, everything else escaped.

use clap::{Arg, Command};
use clap_mangen::Man;

/// A page while it is written.
pub struct Page(String);

/// Name, synopsis, description and options of a program, as clap describes it.
pub fn top(command: &Command, section: &str) -> Page {
    let mut command = command.clone().disable_help_subcommand(true);
    command.build();
    let source = format!("{} {}", command.get_name(), command.get_version().unwrap_or_default());
    let man = Man::new(command).section(section).source(source).manual("Katana").date("");
    let mut bytes = Vec::new();
    let written = man
        .render_title(&mut bytes)
        .and_then(|()| man.render_name_section(&mut bytes))
        .and_then(|()| man.render_synopsis_section(&mut bytes))
        .and_then(|()| man.render_description_section(&mut bytes))
        .and_then(|()| man.render_options_section(&mut bytes));
    written.expect("memory can be written");
    Page(String::from_utf8(bytes).expect("clap writes UTF-8"))
}

/// Each subcommand with its arguments, those of subcommands behind their parent's name.
pub fn commands(page: &mut Page, of: &Command, before: &str) {
    for command in of.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("{before}{}", command.get_name());
        if command.has_subcommands() {
            commands(page, command, &format!("{name} "));
            continue;
        }
        let arguments: Vec<&Arg> = command
            .get_arguments()
            .filter(|arg| !matches!(arg.get_id().as_str(), "help"))
            .collect();
        let usage: Vec<String> = arguments.iter().map(|arg| usage(arg)).collect();
        page.item(&name, &format!(" {}", usage.join(" ")));
        page.text_of(&command.get_about().map(ToString::to_string).unwrap_or_default());
        for arg in arguments {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            page.paragraph_within(&format!("{}: {help}", usage_bare(arg)));
        }
    }
}

fn usage(arg: &Arg) -> String {
    if arg.is_positional() { usage_bare(arg) } else { format!("[{}]", usage_bare(arg)) }
}

fn usage_bare(arg: &Arg) -> String {
    let value = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    match (arg.get_long(), value) {
        (Some(long), Some(value)) if arg.get_action().takes_values() => format!("--{long} {value}"),
        (Some(long), _) => format!("--{long}"),
        (None, value) => value.unwrap_or_else(|| arg.get_id().as_str().to_uppercase()),
    }
}

impl Page {
    /// A page with its name and what it is about.
    pub fn new(name: &str, section: &str, about: &str) -> Self {
        let (shown, about) = (escape(name), escape(about));
        let version = env!("CARGO_PKG_VERSION");
        Self(format!(
            ".TH {shown} {section} \"\" \"katana\\-bot {version}\" Katana\n.SH NAME\n{shown} \\- {about}\n"
        ))
    }

    /// A heading.
    pub fn section(&mut self, name: &str) {
        self.line(&format!(".SH \"{}\"", escape(name)));
    }

    /// A paragraph of its own.
    pub fn paragraph(&mut self, words: &str) {
        self.line(".PP");
        self.text_of(words);
    }

    /// A term in bold with more behind it; what follows is about it.
    pub fn item(&mut self, term: &str, more: &str) {
        self.line(".TP");
        self.line(&format!("\\fB{}\\fR{}", escape(term), escape(more.trim_end())));
    }

    /// A further paragraph about the same term.
    pub fn paragraph_within(&mut self, words: &str) {
        self.line(".sp 0");
        self.text_of(words);
    }

    /// Running text.
    pub fn text_of(&mut self, words: &str) {
        self.line(&protect(&escape(words)));
    }

    /// Lines as they are.
    pub fn literal(&mut self, lines: &[&str]) {
        self.line(".PP\n.RS 4\n.nf");
        for line in lines {
            self.line(&protect(&escape(line)));
        }
        self.line(".fi\n.RE");
    }

    /// Sections in short: `# NAME`, then `term | words` or running text.
    pub fn written(&mut self, text: &str) {
        for line in text.lines() {
            match (line.strip_prefix("# "), line.split_once(" | ")) {
                (Some(name), _) => self.section(name),
                (None, Some((term, words))) => {
                    self.item(term, "");
                    self.text_of(words);
                }
                (None, None) => self.text_of(line),
            }
        }
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.0.clone()
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }
}

/// Text that roff prints as it is.
fn escape(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('"', "\\(dq").replace('…', "\\&...")
}

/// A line that begins with a control character is a request, unless it is hidden.
fn protect(line: &str) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
}
