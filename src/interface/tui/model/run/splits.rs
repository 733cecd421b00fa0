//! The sizes that the user gave the parts of the Run screen, as shares, so that they hold at every size of the terminal.
//!
//! Not here: the division itself ([`super::areas`]), who drags. Invariant: no size takes all room from another part.

use std::collections::BTreeMap;

use ratatui::layout::Rect;

use super::areas::{Areas, Form};

/// A share of a length, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u16);

impl Share {
    const WHOLE: u32 = 1000;

    /// The share that `part` is of `whole`.
    pub fn of(part: u16, whole: u16) -> Self {
        let (part, whole) = (u32::from(part.min(whole)), u32::from(whole.max(1)));
        Self(((part * Self::WHOLE + whole / 2) / whole) as u16)
    }

    /// So many cells of `whole`.
    pub fn cells(self, whole: u16) -> u16 {
        ((u32::from(self.0) * u32::from(whole) + Self::WHOLE / 2) / Self::WHOLE) as u16
    }
}

/// The sizes' names where they are kept, in the order of [`Splits`].
const NAMES: [&str; 6] = ["run.left", "run.details", "run.why", "run.fleet", "run.memory", "run.stack"];

/// The sizes; none: as the screen has them by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Splits {
    /// Of the width: the lists, where they stand left of the outputs.
    pub left: Option<Share>,
    /// Of the width: the third column.
    pub details: Option<Share>,
    /// Of the height: the Why box.
    pub why: Option<Share>,
    /// Of the height: the fleet.
    pub fleet: Option<Share>,
    /// Of the height: the memory bar.
    pub memory: Option<Share>,
    /// Of the height: the tree, where it stands above the outputs.
    pub stack: Option<Share>,
}

/// A border that can be dragged, by what is right of it or below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// Between the lists and the outputs.
    Outputs,
    /// Between the outputs and the third column.
    Details,
    /// Between the tree and the Why box.
    Why,
    /// Between the Why box and the fleet.
    Fleet,
    /// Between the fleet and the memory bar.
    Memory,
    /// Between the tree and what is under it, in one column.
    Stack,
}

/// Whether a key moved a border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It did.
    Yes,
    /// There is none to move.
    NoBorder,
}

/// The borders that can be dragged, with their places.
pub fn borders(areas: &Areas) -> Vec<(Rect, Border)> {
    let mut out = Vec::new();
    let (tree, whole) = (areas.tree, areas.area);
    let row = |part: Rect| Rect { y: part.y.saturating_sub(1), height: 1, ..part };
    let column = |x: u16| Rect { x, width: 2, ..whole };
    match areas.form {
        Form::Single => {}
        Form::Stacked => {
            if !areas.why.is_empty() {
                out.push((row(areas.why), Border::Stack));
            }
        }
        Form::Wide | Form::Full => {
            for (part, border) in
                [(areas.why, Border::Why), (areas.fleet, Border::Fleet), (areas.memory, Border::Memory)]
            {
                if !part.is_empty() {
                    out.push((row(part), border));
                }
            }
            out.push((column(tree.right()), Border::Outputs));
            if !areas.details.is_empty() {
                out.push((column(areas.details.x.saturating_sub(2)), Border::Details));
            }
        }
    }
    out
}

impl Splits {
    /// The sizes by name, in thousandths: as they are kept from one start to the next.
    pub fn shares(&self) -> BTreeMap<String, u16> {
        let named = NAMES.iter().zip([self.left, self.details, self.why, self.fleet, self.memory, self.stack]);
        named.filter_map(|(name, share)| Some(((*name).to_owned(), share?.0))).collect()
    }

    /// Takes sizes up again; names that are none and sizes that are out of reason are passed over.
    pub fn recall(&mut self, kept: &BTreeMap<String, u16>) {
        let fields =
            [&mut self.left, &mut self.details, &mut self.why, &mut self.fleet, &mut self.memory, &mut self.stack];
        for (name, field) in NAMES.iter().zip(fields) {
            let kept = kept.get(*name).copied().filter(|s| u32::from(*s) <= Share::WHOLE);
            *field = kept.map(Share).or(*field);
        }
    }

    /// A border is dragged to a place.
    pub fn drag(&mut self, border: Border, (x, y): (u16, u16), areas: &Areas) {
        let inside = areas.inside();
        let (wide, high) = (areas.area.width, inside.height);
        let width = |cells: u16| Some(Share::of(cells, wide));
        let height = |cells: u16| Some(Share::of(cells.max(1), high));
        let below = |part: Rect| height(part.bottom().saturating_sub(y + 1));
        let above = |part: Rect| height(y.saturating_sub(part.y));
        match border {
            Border::Outputs => self.left = width((x + 2).saturating_sub(inside.x)),
            Border::Details => self.details = width(inside.right().saturating_sub(x)),
            Border::Why => self.why = below(areas.why),
            Border::Fleet => (self.why, self.fleet) = (above(areas.why), below(areas.fleet)),
            Border::Memory => (self.fleet, self.memory) = (above(areas.fleet), below(areas.memory)),
            Border::Stack => self.stack = above(areas.tree),
        }
    }

    /// A border goes back to where the screen has it by itself.
    pub fn reset(&mut self, border: Border) {
        match border {
            Border::Outputs => self.left = None,
            Border::Details => self.details = None,
            Border::Why => self.why = None,
            Border::Fleet => (self.why, self.fleet) = (None, None),
            Border::Memory => (self.fleet, self.memory) = (None, None),
            Border::Stack => self.stack = None,
        }
    }

    /// The lists get `by` columns more.
    pub fn widen(&mut self, by: i16, areas: &Areas) -> Moved {
        if !matches!(areas.form, Form::Wide | Form::Full) {
            return Moved::NoBorder;
        }
        let x = areas.tree.right().saturating_add_signed(by);
        self.drag(Border::Outputs, (x, areas.tree.y), areas);
        Moved::Yes
    }

    /// The tree gets `by` rows more, from what is below it.
    pub fn heighten(&mut self, by: i16, areas: &Areas) -> Moved {
        let (border, part) = match areas.form {
            Form::Single => return Moved::NoBorder,
            Form::Stacked => (Border::Stack, areas.why),
            // The fleet is what is read the least beside the tree.
            Form::Wide | Form::Full if areas.fleet.height > 1 || by < 0 => {
                let rows = areas.fleet.height.saturating_add_signed(-by).max(1);
                self.fleet = Some(Share::of(rows, areas.inside().height));
                return Moved::Yes;
            }
            Form::Wide | Form::Full => (Border::Why, areas.why),
        };
        self.drag(border, (part.x, part.y.saturating_sub(1).saturating_add_signed(by)), areas);
        Moved::Yes
    }
}
