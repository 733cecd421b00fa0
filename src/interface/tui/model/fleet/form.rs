//! The form of an endpoint: what the operator changes of it for this session.
//!
//! Not here: drawing (`view/fleet/form`). Invariants: what was not touched is not sent; nothing is sent while a field
//! can't be read, and the mistake stands under its field.

use crossterm::event::{KeyCode, KeyModifiers};

use crate::domain::protocol::{Command, EndpointEdit, EndpointName, Name};
use crate::domain::state::EndpointState;
use crate::domain::text::CleanText;
use crate::interface::tui::action::Action;
use crate::interface::tui::model::field::TextField;
use crate::interface::tui::model::layer::LayerDoes;
use crate::interface::tui::model::{Msg, UiEffect, notice};

/// A field of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// How many requests at once.
    Slots,
    /// The context of one.
    Context,
    /// The tiers it serves.
    Tiers,
    /// Planned memory.
    Memory,
}

impl Field {
    /// All, in the order of the form.
    pub const ALL: [Self; 4] = [Self::Slots, Self::Context, Self::Tiers, Self::Memory];

    /// The word before it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Slots => "slots",
            Self::Context => "context",
            Self::Tiers => "tiers",
            Self::Memory => "memory_gb",
        }
    }

    /// What it means.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Slots => "requests at once; what its server reports counts too, where it is less",
            Self::Context => "tokens of one request",
            Self::Tiers => "the tiers it serves, a space between them",
            Self::Memory => "gigabytes of its model without the KV cache",
        }
    }
}

/// The form.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointForm {
    /// Whose.
    pub endpoint: EndpointName,
    /// Its title.
    pub title: CleanText,
    fields: [TextField; 4],
    before: [String; 4],
    focus: usize,
    wrong: Option<(Field, CleanText)>,
}

impl EndpointForm {
    /// The form of an endpoint as it is.
    pub fn of(e: &EndpointState) -> Self {
        let tiers = e.config.tiers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let memory = e.config.memory_gb.map(|gb| gb.to_string()).unwrap_or_default();
        let before = [e.config.slots.to_string(), e.config.context.to_string(), tiers, memory];
        let fields = before.each_ref().map(|text| TextField::with_text(text));
        let title = CleanText::one_line(e.config.title());
        Self { endpoint: e.config.name.clone(), title, fields, before, focus: 0, wrong: None }
    }

    /// The text of a field.
    pub(crate) fn field(&self, field: Field) -> &TextField {
        &self.fields[field as usize]
    }

    /// The field that has the keys.
    pub fn focus(&self) -> Field {
        Field::ALL[self.focus]
    }

    /// What is wrong, and where.
    pub fn wrong(&self) -> Option<&(Field, CleanText)> {
        self.wrong.as_ref()
    }

    /// Whether anything was changed.
    pub fn is_changed(&self) -> bool {
        Field::ALL.into_iter().any(|f| self.text(f) != self.before[f as usize])
    }

    fn text(&self, field: Field) -> String {
        self.fields[field as usize].text().trim().to_owned()
    }

    fn changed(&self, field: Field) -> Option<String> {
        let text = self.text(field);
        (text != self.before[field as usize]).then_some(text)
    }

    /// The edit, or the first field that can't be read and why.
    fn edit(&self) -> Result<EndpointEdit, (Field, String)> {
        let number = |field: Field, least: u32, words: &str| match self.changed(field) {
            None => Ok(None),
            Some(text) => match text.parse::<u32>() {
                Ok(n) if n >= least => Ok(Some(n)),
                _ => Err((field, words.to_owned())),
            },
        };
        let slots = number(Field::Slots, 1, "a number of requests, 1 at least; p lets it run empty")?;
        let context = number(Field::Context, 256, "a number of tokens, 256 at least")?;
        let tiers = match self.changed(Field::Tiers) {
            None => None,
            Some(text) => {
                let words = text.split([' ', ',']).filter(|w| !w.is_empty());
                let tiers: Vec<_> = words
                    .map(|w| Name::new(w).map_err(|error| (Field::Tiers, error.to_string())))
                    .collect::<Result<_, _>>()?;
                if tiers.is_empty() {
                    return Err((Field::Tiers, "one tier at least: nothing would be sent to it".to_owned()));
                }
                Some(tiers)
            }
        };
        let memory_gb = match self.changed(Field::Memory) {
            None => None,
            Some(text) => match text.parse::<f32>() {
                Ok(gb) if gb.is_finite() && (0.0..100_000.0).contains(&gb) => Some(gb),
                _ => return Err((Field::Memory, "a number of gigabytes".to_owned())),
            },
        };
        Ok(EndpointEdit { slots, context, tiers, memory_gb })
    }

    fn turn(&mut self, by: usize) {
        self.focus = (self.focus + by) % Field::ALL.len();
    }

    /// Does what an action means here.
    pub(in crate::interface::tui::model) fn update(&mut self, action: Action) -> LayerDoes {
        use LayerDoes::{Closes, Stays};
        match action {
            Action::NextPane => self.turn(1),
            Action::PreviousPane => self.turn(Field::ALL.len() - 1),
            Action::Enter | Action::Accept => match self.edit() {
                Ok(edit) if edit == EndpointEdit::default() => {
                    return Closes(notice("nothing was changed"));
                }
                Ok(edit) => {
                    let endpoint = self.endpoint.clone();
                    return Closes(vec![UiEffect::Send(Command::EditEndpoint { endpoint, edit })]);
                }
                Err((field, words)) => {
                    self.focus = field as usize;
                    self.wrong = Some((field, words.into()));
                }
            },
            action => {
                self.fields[self.focus].act(action);
            }
        }
        Stays(Vec::new())
    }

    /// Takes a key or a paste.
    pub(in crate::interface::tui::model) fn input(&mut self, msg: &Msg) {
        match msg {
            Msg::Key(key) if key.code == KeyCode::Up => self.turn(Field::ALL.len() - 1),
            Msg::Key(key) if key.code == KeyCode::Down => self.turn(1),
            Msg::Key(key) if key.code == KeyCode::Char('j') && key.modifiers.contains(KeyModifiers::CONTROL) => {}
            Msg::Paste(text) => {
                let one = Msg::Paste(text.to_one_line());
                self.fields[self.focus].input(&one);
                self.read();
            }
            msg => {
                self.fields[self.focus].input(msg);
                self.read();
            }
        }
    }

    /// A mistake that was mended is no longer told.
    fn read(&mut self) {
        if self.wrong.is_some() {
            self.wrong = self.edit().err().map(|(field, words)| (field, words.into()));
        }
    }
}
