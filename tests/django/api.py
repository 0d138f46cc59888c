"""The resources of the test server: made-up reports and runs, of the size and the shape of real ones."""

import json
import uuid

from django.utils import timezone
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.response import Response
from rest_framework.views import APIView

# Two-, three- and four-byte UTF-8, combining marks, right-to-left text, and what JSON has to escape.
SENTENCES = [
    "Die Größe des Marktes wuchs um 12 % – von 3,4 auf 3,8 Mrd. €.",
    "Türkiye’de “evrim” sözcüğü değişimi anlatır; ığdır, İstanbul, şöyle.",
    "研究によると、需要は二〇二四年から増加している。",
    "Исследование охватывает период с 2019 по 2024 год.",
    "البحث يشمل خمس سنوات، والنتائج أولية.",
    "The team 👩🏽‍🔬 measured Δt ≈ 0.5 µs, and cafe\u0301 is not café.",
    'It said: "C:\\temp\\new",\tand then a new line\nfollowed, with <b>&amp;</b>.',
]


def paragraph(number):
    return {
        "id": number,
        "title": f"Résumé № {number}",
        "sentences": SENTENCES * 3,
        "images": [{"url": f"https://example.org/images/{number}.png", "caption": "Übersicht 📈"}],
    }


def section(number, paragraphs):
    return {
        "id": number,
        "title": f"Çözümleme {number}",
        "paragraphs": [paragraph(number * 100 + n) for n in range(paragraphs)],
        "sources": [f"https://example.org/sources/{number}?q=%C3%A9"],
        "tone": "ANALYTICAL",
        "style": "NARRATIVE",
        "point_of_view": "THIRD_PERSON",
    }


def run(number, tasks):
    return {
        "id": number,
        "tasks": [
            {
                "id": number * 100 + n,
                "agent_role": "Researcher",
                "description": SENTENCES[n % len(SENTENCES)],
                "result": " ".join(SENTENCES * 4),
                "name": f"tâche_{n}",
                "section_name": None if n % 2 else f"Çözümleme {n}",
            }
            for n in range(tasks)
        ],
        "result": " ".join(SENTENCES),
    }


REPORTS = {
    # Everything there, about 100 KB.
    "1": {
        "id": 1,
        "report": {
            "id": 11,
            "task": "6f1f6f0e-52a5-4d0b-9f57-0d6a2f0c7a11",
            "title": "Évolution – 進化 – تطوّر",
            "description": SENTENCES[0],
            "sections": [section(n, 7) for n in range(1, 8)],
        },
        "crew_run": run(1, 4),
        "raw": SENTENCES,
    },
    # As little as a report may have.
    "2": {"id": 2, "report": None, "crew_run": None},
}
RUNS = [run(n, 11) for n in range(1, 7)]  # about 160 KB


class Reports(APIView):
    def get(self, request):
        return Response(list(REPORTS.values()))


class Report(APIView):
    def get(self, request, report_id):
        if report_id not in REPORTS:
            raise NotFound("No ReportV2 matches the given query.")
        return Response(REPORTS[report_id])


class Runs(APIView):
    def get(self, request):
        return Response(RUNS)


class ResearchInput(serializers.Serializer):
    url = serializers.URLField()
    title = serializers.CharField()
    description = serializers.CharField()
    style = serializers.CharField()
    tone = serializers.CharField()
    point_of_view = serializers.CharField()


class Research(APIView):
    def post(self, request):
        wanted = ResearchInput(data=request.data)
        wanted.is_valid(raise_exception=True)
        task = {
            "task_id": uuid.uuid4(),
            "event": {"id": 1, "input": json.dumps(wanted.validated_data, ensure_ascii=False)},
            "created_at": timezone.now(),
            "status": "P",
            "created_by": request.user.pk,
        }
        return Response(task, status=status.HTTP_201_CREATED)


def RequestId(get_response):
    """Middleware: every answer has an id, as in production."""

    def middleware(request):
        response = get_response(request)
        response["x-moesif-transaction-id"] = str(uuid.uuid4())
        return response

    return middleware
