//! A report as a file: a real PDF and a real DOCX.

use bytes::Bytes;
use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str};
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    Pdf,
    Docx,
}

impl Format {
    pub fn named(name: &str) -> Option<Format> {
        match name {
            "pdf" => Some(Format::Pdf),
            "docx" => Some(Format::Docx),
            _ => None,
        }
    }

    pub fn extension(self) -> &'static str {
        match self {
            Format::Pdf => "pdf",
            Format::Docx => "docx",
        }
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Format::Pdf => "application/pdf",
            Format::Docx => {
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
            }
        }
    }
}

#[derive(Clone)]
pub struct Text {
    pub title: String,
    pub sections: Vec<Section>,
}

#[derive(Clone)]
pub struct Section {
    pub title: String,
    pub paragraphs: Vec<String>,
}

pub struct Document {
    pub bytes: Bytes,
    pub etag: String,
}

impl Document {
    pub fn new(text: &Text, format: Format, revision: u64) -> Document {
        let bytes = match format {
            Format::Pdf => pdf(text, revision),
            Format::Docx => docx(text, revision).unwrap_or_default(),
        };
        let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
        let etag = digest.as_ref()[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        Document {
            bytes: bytes.into(),
            etag: format!("\"{etag}\""),
        }
    }
}

/// Title, headings and text, line by line; a size of 0 is an empty line.
fn lines(text: &Text, revision: u64) -> Vec<(f32, Vec<u8>)> {
    const COLUMNS: usize = 92;
    let mut lines = vec![(18.0, latin(&text.title))];
    lines.push((9.0, latin(&format!("Evrim sandbox, revision {revision}"))));
    for section in &text.sections {
        lines.push((10.0, Vec::new()));
        lines.push((13.0, latin(&section.title)));
        // The opening of each section: about as long as the real thing.
        if let Some(paragraph) = section.paragraphs.first() {
            lines.push((10.0, Vec::new()));
            let mut line = String::new();
            for word in paragraph.split(' ') {
                if line.chars().count() + word.chars().count() >= COLUMNS {
                    lines.push((10.0, latin(&line)));
                    line.clear();
                }
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            lines.push((10.0, latin(&line)));
        }
    }
    lines
}

/// The standard fonts know Windows' Latin letters and no others.
fn latin(text: &str) -> Vec<u8> {
    text.chars()
        .map(|letter| match letter {
            '–' => 0x96,
            '—' => 0x97,
            '‘' => 0x91,
            '’' => 0x92,
            '“' => 0x93,
            '”' => 0x94,
            '‰' => 0x89,
            '\u{0}'..='\u{7e}' | '\u{a0}'..='\u{ff}' => letter as u8,
            _ => b'.',
        })
        .collect()
}

fn pdf(text: &Text, revision: u64) -> Vec<u8> {
    const LINES: usize = 52;
    let lines = lines(text, revision);
    let (catalog, tree, font) = (Ref::new(1), Ref::new(2), Ref::new(3));
    let pages: Vec<_> = (4..)
        .step_by(2)
        .map(Ref::new)
        .zip(lines.chunks(LINES))
        .collect();

    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(tree);
    pdf.pages(tree)
        .kids(pages.iter().map(|(id, _)| *id))
        .count(i32::try_from(pages.len()).unwrap_or(i32::MAX));
    pdf.type1_font(font)
        .base_font(Name(b"Helvetica"))
        .encoding_predefined(Name(b"WinAnsiEncoding"));
    for (id, lines) in pages {
        let content_id = id.next();
        let mut page = pdf.page(id);
        page.parent(tree)
            .media_box(Rect::new(0.0, 0.0, 595.0, 842.0))
            .contents(content_id);
        page.resources().fonts().pair(Name(b"F"), font);
        page.finish();

        let mut content = Content::new();
        content
            .begin_text()
            .set_leading(14.5)
            .next_line(56.0, 790.0);
        for (size, line) in lines {
            content
                .set_font(Name(b"F"), *size)
                .show(Str(line))
                .next_line_using_leading();
        }
        content.end_text();
        pdf.stream(content_id, &content.finish());
    }
    pdf.finish()
}

const CONTENT_TYPES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"#;

const RELATIONSHIPS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>"#;

fn docx(text: &Text, revision: u64) -> zip::result::ZipResult<Vec<u8>> {
    let mut body = String::from(
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>"#,
    );
    body.push_str(&paragraph(&text.title, 36));
    body.push_str(&paragraph(
        &format!("Evrim sandbox, revision {revision}"),
        18,
    ));
    for section in &text.sections {
        body.push_str(&paragraph(&section.title, 26));
        for text in &section.paragraphs {
            body.push_str(&paragraph(text, 20));
        }
    }
    body.push_str("</w:body></w:document>");

    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let parts = [
        ("[Content_Types].xml", CONTENT_TYPES),
        ("_rels/.rels", RELATIONSHIPS),
        ("word/document.xml", &body),
    ];
    for (name, part) in parts {
        archive.start_file(name, SimpleFileOptions::default())?;
        archive.write_all(part.as_bytes())?;
    }
    Ok(archive.finish()?.into_inner())
}

/// One paragraph; the size is in half points.
fn paragraph(text: &str, size: u32) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        r#"<w:p><w:r><w:rPr><w:sz w:val="{size}"/></w:rPr><w:t xml:space="preserve">{text}</w:t></w:r></w:p>"#
    )
}
