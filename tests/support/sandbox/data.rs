//! The reports, runs and tasks that the server has from the start: invented, and the same every time.

use super::document::{Section, Text};
use super::reply::Prebuilt;
use super::shared::Submitted;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

pub struct Library {
    /// Every fixed answer to a GET, by path.
    pub pages: HashMap<String, Prebuilt>,
    /// What the rendered reports say, by report.
    pub texts: BTreeMap<u64, Text>,
}

impl Library {
    /// Made once for the whole process.
    pub fn get() -> &'static Library {
        static LIBRARY: LazyLock<Library> = LazyLock::new(Library::make);
        &LIBRARY
    }

    fn make() -> Library {
        let glaciers = glaciers();
        let sparse = json!({"id": 3, "report": null, "crew_run": null, "raw": []});
        let reports = vec![glaciers.clone(), tides(), sparse];
        let sections = glaciers["report"]["sections"].as_array().cloned();
        let sections = sections.unwrap_or_default();
        let paragraphs: Vec<Value> = sections
            .iter()
            .filter_map(|section| section["paragraphs"].as_array())
            .flatten()
            .cloned()
            .collect();

        let mut pages = HashMap::new();
        let mut add = |name: &str, id: &str, items: Vec<Value>| {
            for item in &items {
                let id = match &item[id] {
                    Value::String(text) => text.clone(),
                    number => number.to_string(),
                };
                pages.insert(format!("/{name}/{id}/"), Prebuilt::new(item));
            }
            pages.insert(format!("/{name}/"), Prebuilt::new(&items.into()));
        };
        let texts = reports
            .iter()
            .filter_map(|report| Some((report["id"].as_u64()?, text(report))))
            .collect();
        add("reports", "id", reports);
        add("sections", "id", sections);
        add("paragraphs", "id", paragraphs);
        add("runs", "id", (1..=4).map(run).collect());
        add("tasks", "task_id", (1..=6).map(task).collect());
        Library { pages, texts }
    }
}

/// The reports of the paged list.
pub fn paged_reports() -> &'static [Value] {
    static REPORTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let mut words = Words(40);
        let report = |id| {
            json!({
                "id": id,
                "title": format!("№ {id}: {}", words.place()),
                "description": words.sentence(),
                "status": "C",
            })
        };
        (1..=25).map(report).collect()
    });
    &REPORTS
}

/// The report that a submitted research ends in.
pub fn submitted_report(task: &Submitted) -> Value {
    let first = 10_000 * task.number;
    let mut words = Words(task.number);
    json!({
        "id": task.number,
        "report": {
            "id": task.number,
            "task": task.id,
            "title": task.title,
            "description": task.description,
            "sections": [section(&mut words, first, "Overview", 2, 6)],
        },
        "crew_run": null,
        "raw": [],
    })
}

pub fn submitted_text(task: &Submitted) -> Text {
    text(&submitted_report(task))
}

fn glaciers() -> Value {
    let headings = [
        "Ice and water",
        "Gletscher der Alpen",
        "Ледники Шпицбергена",
        "氷河の記憶",
        "Οι πάγοι και η θάλασσα",
        "La mer qui monte",
        "Jöklar Íslands",
        "What is measured, and how",
    ];
    let mut words = Words(1);
    let sections: Vec<Value> = (1..)
        .zip(headings)
        .map(|(id, heading)| section(&mut words, id, heading, 8, 17))
        .collect();
    json!({
        "id": 1,
        "report": {
            "id": 1,
            "task": task_id(1),
            "title": "Glaciers and the sea — Gletscher, ледники, 氷河",
            "description": "How ice on land becomes water in the sea: what was measured, where, and by whom. ❄ → 🌊",
            "sections": sections,
        },
        "crew_run": null,
        "raw": [words.sentence(), words.sentence()],
    })
}

fn tides() -> Value {
    let mut words = Words(2);
    json!({
        "id": 2,
        "report": {
            "id": 2,
            "task": task_id(2),
            "title": "Tides — Gezeiten, приливы, 潮汐",
            "description": "A short one.",
            "sections": [section(&mut words, 21, "Ebbe und Flut", 2, 4)],
        },
        "crew_run": run(2),
        "raw": ["Ebbe", "Flut"],
    })
}

fn section(words: &mut Words, id: u64, title: &str, paragraphs: u64, sentences: u64) -> Value {
    let paragraphs: Vec<Value> = (1..=paragraphs)
        .map(|number| {
            let sentences: Vec<String> = (0..sentences).map(|_| words.sentence()).collect();
            let mut paragraph = json!({"id": id * 100 + number, "sentences": sentences});
            // Some members are null or absent, as the real service leaves them.
            if number % 3 != 0 {
                paragraph["title"] = words.place().into();
            }
            paragraph["images"] = match number % 2 {
                0 => Value::Null,
                _ => json!([{
                    "url": format!("https://images.example/{id}/{number}.jpg"),
                    "caption": words.place(),
                }]),
            };
            paragraph
        })
        .collect();
    json!({
        "id": id,
        "title": title,
        "paragraphs": paragraphs,
        "sources": ["https://glaciers.example/données?année=2019", "https://море.example/"],
        "tone": "ANALYTICAL",
        "style": "NARRATIVE",
        "point_of_view": "THIRD_PERSON",
    })
}

fn run(id: u64) -> Value {
    let roles = ["Reader", "Übersetzerin", "Картограф", "編集者", "Checker"];
    let mut words = Words(100 + id);
    let tasks: Vec<Value> = (1..)
        .zip(roles.iter().cycle().take(10))
        .map(|(number, role)| {
            let result: Vec<String> = (0..42).map(|_| words.sentence()).collect();
            let mut task = json!({
                "id": id * 100 + number,
                "agent_role": role,
                "description": words.sentence(),
                "result": result.join("\n"),
                "name": format!("step-{number}"),
            });
            if number % 2 == 0 {
                task["section_name"] = words.place().into();
            }
            task
        })
        .collect();
    let result: Vec<String> = (0..40).map(|_| words.sentence()).collect();
    json!({"id": id, "tasks": tasks, "result": result.join(" ")})
}

fn task_id(number: u64) -> String {
    format!("5ea1ce00-0000-4000-8000-{number:012x}")
}

fn task(number: u64) -> Value {
    let input = json!({
        "url": format!("https://glaciers.example/{number}"),
        "title": format!("№ {number} — Eis"),
        "style": "NARRATIVE",
    });
    json!({
        "task_id": task_id(number),
        "event": {"id": number, "input": input.to_string()},
        "created_at": format!("2025-03-{:02}T08:30:00.{:06}Z", number, number * 137_421),
        "status": if number == 5 { "P" } else { "C" },
        "created_by": 1,
    })
}

/// A report as the plain text that a document of it holds.
fn text(report: &Value) -> Text {
    let string = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let inner = &report["report"];
    let sections = inner["sections"].as_array().into_iter().flatten();
    let sections = sections.map(|section| {
        let paragraphs = section["paragraphs"].as_array().into_iter().flatten();
        Section {
            title: string(&section["title"]),
            paragraphs: paragraphs
                .map(|paragraph| {
                    let sentences = paragraph["sentences"].as_array().into_iter().flatten();
                    sentences.map(string).collect::<Vec<_>>().join(" ")
                })
                .collect(),
        }
    });
    Text {
        title: string(&inner["title"]),
        sections: sections.collect(),
    }
}

/// Sentences without end, the same ones for the same start.
struct Words(u64);

impl Words {
    fn next(&mut self, below: usize) -> usize {
        // Knuth's MMIX generator; its low bits are poor.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[self.next(from.len())]
    }

    fn place(&mut self) -> &'static str {
        self.pick(&[
            "Vatnajökull",
            "Ålesund",
            "Grindelwald",
            "Пик Победы",
            "Нарьян-Мар",
            "立山",
            "富山湾",
            "Θεσσαλονίκη",
            "Île aux Glaces",
            "São Jorge",
            "Jökulsárlón",
            "Český ráj",
        ])
    }

    fn sentence(&mut self) -> String {
        let place = self.place();
        let year = 1880 + self.next(145);
        let metres = 3 + self.next(900);
        match self.next(9) {
            0 => format!(
                "Near {place} the ice front was {metres} m farther out in {year} than it is today."
            ),
            1 => format!(
                "“We count the stakes each autumn,” say the people of {place}; {metres} were left in {year}."
            ),
            2 => format!(
                "Bei {place} schrumpfte die Zunge bis {year} um {metres} Meter – früher als erwartet."
            ),
            3 => format!("В {year} году у станции «{place}» лёд отступил на {metres} метров."),
            4 => format!("{year}年、{place}では氷の厚さが{metres}メートルと測られた。"),
            5 => format!("Στο {place} η στάθμη άλλαξε κατά {metres} χιλιοστά ως το {year}."),
            6 => format!("À {place}, l’été de {year} a emporté {metres} mètres de névé."),
            7 => format!("Í {place} mældist bráðnun {metres} mm á dag árið {year}."),
            _ => format!(
                "{place}: {metres} m ± 2 %, {year} 🧊 (Δh ≈ −{}‰).",
                metres % 40
            ),
        }
    }
}
