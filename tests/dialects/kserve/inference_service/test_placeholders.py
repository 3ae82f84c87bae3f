import pytest

from fairlead.dialects.kserve.inference_service.placeholders import NotFilled, filled

META = {"name": "iris", "namespace": "models", "labels": {"tier": "a"}, "annotations": {"x/y": "b", "format": "c"}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--model_name={{.Name}}", "--model_name=iris"),
        ("{{ .Namespace }}/{{ .Labels.tier }}", "models/a"),
        ("{{.Annotations.format}}", "c"),
        ("{{.Labels.other}}", "<no value>"),
        ('{{ index .Annotations "x/y" }}', "b"),
        ("a {{- .Name -}} b", "airisb"),
        ("no braces", "no braces"),
    ],
)
def test_fields_of_the_metadata_are_filled_in(text: str, expected: str) -> None:
    assert filled({"args": [text], "number": 1}, META) == {"args": [expected], "number": 1}


@pytest.mark.parametrize("text", ["{{ .Spec }}", "{{ if .Name }}", "{{ .Labels }}", "{{ .Name", "{{ .Name.x }}"])
def test_a_template_that_asks_for_more_is_refused(text: str) -> None:
    with pytest.raises(NotFilled):
        filled(text, META)
