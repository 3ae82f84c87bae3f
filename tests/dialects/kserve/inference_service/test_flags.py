from fairlead.dialects.kserve.inference_service.flags import Flag, flags_of, has_flag, settings_of


def test_flags_are_read_in_all_three_ways() -> None:
    words = ["python", "-m", "server", "--a=1", "--b", "2", "--c", "--d=", "file", "--n", "-1.5"]

    assert list(flags_of(words)) == [
        Flag("m", "server"),
        Flag("a", "1"),
        Flag("b", "2"),
        Flag("c", None),
        Flag("d", ""),
        Flag("n", "-1.5"),
    ]


def test_the_last_of_equal_flags_counts() -> None:
    assert settings_of(["--a=1", "--a", "2", "--b"]) == {"a": "2", "b": "true"}


def test_a_flag_is_there_with_a_value_or_without() -> None:
    assert has_flag(["--model_name=a"], "model_name")
    assert has_flag(["--model_name", "a"], "model_name")
    assert not has_flag(["model_name"], "model_name")
