//! PDF: the glyphs of each page in the order in which they are drawn, or what `pdftotext` read.
//!
//! Invariants: pages keep their numbers; a page without text is not an error, a document without any is. The
//! parser is made for hostile input, but is run in a process of its own nevertheless.

use hayro_interpret::font::{Glyph, GlyphRun};
use hayro_interpret::hayro_cmap::BfString;
use hayro_interpret::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use hayro_interpret::kurbo::{Affine, BezPath, Point, Rect};
use hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps,
    InterpreterCache, InterpreterSettings, SoftMask, interpret_page,
};

use crate::document::Document;
use crate::layout::Layout;
use crate::limits::{Limits, Problem};
use crate::pages;
use crate::writer::on_one_line;

/// Glyphs are designed in a square of this side.
const EM: f64 = 1000.0;

/// Reads a PDF.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Document, Problem> {
    let pdf = opened(bytes)?;
    let cache = InterpreterCache::new();
    let (mut texts, mut size) = (Vec::new(), 0);
    let (mut glyphs, mut unknown) = (0, 0);
    let count = pdf.pages().len();
    for page in pdf.pages().iter().take(limits.pages) {
        let area = Rect::new(0.0, 0.0, 1.0, 1.0);
        let settings = InterpreterSettings::default();
        let mut context = Context::new(Affine::IDENTITY, area, &cache, pdf.xref(), settings);
        let mut reader =
            Reader { layout: Layout::default(), left: limits.text - size, ..Reader::default() };
        interpret_page(page, &mut context, &mut reader);
        let text = reader.layout.finish();
        glyphs += reader.glyphs;
        unknown += reader.unknown;
        size += text.len();
        texts.push(text);
        if size >= limits.text {
            break;
        }
    }
    if unknown * 2 > glyphs {
        return Err(Problem::NoText);
    }
    let mut document = pages::document(&texts, limits)?;
    if count > limits.pages {
        let remark = format!("it has {count} pages, of which the first {} are used", limits.pages);
        document.remarks.push(remark);
    }
    document.title = titled(&pdf);
    Ok(document)
}

/// What `pdftotext` wrote: pages end with a form feed.
///
/// # Errors
/// When there is no text.
pub fn of_pdftotext(text: &str, limits: &Limits) -> Result<Document, Problem> {
    let text = text.strip_suffix('\u{c}').unwrap_or(text);
    let texts: Vec<&str> = text.split('\u{c}').collect();
    pages::document(&texts, limits)
}

/// What a PDF calls itself, unless that is the name of a file.
pub fn title(bytes: &[u8]) -> Option<String> {
    titled(&opened(bytes).ok()?)
}

fn opened(bytes: &[u8]) -> Result<Pdf, Problem> {
    let start = &bytes[..bytes.len().min(1024)];
    if !start.windows(5).any(|window| window == b"%PDF-") {
        let remedy = "save it again, or give its name the ending of what it is";
        return Err(Problem::Another { expected: "a PDF", remedy });
    }
    Pdf::new(bytes.to_vec()).map_err(|e| match e {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => Problem::Encrypted,
        LoadPdfError::Decryption(_) => Problem::Damaged("its encryption is not known"),
        LoadPdfError::Invalid => Problem::Damaged("it is not a complete PDF"),
    })
}

fn titled(pdf: &Pdf) -> Option<String> {
    let bytes = pdf.metadata().title.as_deref()?;
    let title = match bytes.strip_prefix(b"\xfe\xff") {
        Some(wide) => {
            let units = wide.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect()
        }
        None => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|b| char::from(*b)).collect::<String>(),
        },
    };
    let title = on_one_line(&title.replace(char::is_control, ""));
    let is_file = title.rsplit_once('.').is_some_and(|(_, ending)| {
        (2..=5).contains(&ending.len()) && ending.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    let is_empty = title.is_empty() || title.to_lowercase().starts_with("untitled");
    (!is_file && !is_empty && !title.starts_with("Microsoft ")).then_some(title)
}

#[derive(Default)]
struct Reader {
    layout: Layout,
    left: usize,
    glyphs: usize,
    unknown: usize,
}

impl Device<'_> for Reader {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, '_>, props: DrawProps<'_>, _: &DrawMode) {
        for positioned in run.glyphs() {
            if self.layout.len() >= self.left {
                return;
            }
            let transform = props.transform * positioned.transform();
            let start = transform * Point::ZERO;
            let along = transform * Point::new(EM, 0.0) - start;
            let size = (transform * Point::new(0.0, EM) - start).hypot();
            let glyph: &Glyph<'_> = positioned;
            let advance = match glyph {
                Glyph::Outline(glyph) => glyph.advance_width(),
                Glyph::Type3(glyph) => glyph.advance_width(),
            };
            let end = start + along * (f64::from(advance.unwrap_or(500.0)) / EM);
            self.glyphs += 1;
            let mut buffer = [0; 4];
            match glyph.as_unicode() {
                Some(BfString::Char(c)) => {
                    self.layout.push(c.encode_utf8(&mut buffer), start, end, size);
                }
                Some(BfString::String(text)) => self.layout.push(&text, start, end, size),
                None => self.unknown += 1,
            }
        }
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'_>, _: &DrawMode) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'_>>, _: BlendMode) {}
    fn draw_image(&mut self, _: Image<'_, '_>, _: ImageDrawProps<'_>) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}
