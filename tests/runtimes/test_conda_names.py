import pytest

from fairlead.runtimes.conda_names import pip_requirement


@pytest.mark.parametrize(
    ("entry", "requirement"),
    [
        ("scikit-learn=0.20.3", "scikit-learn==0.20.3"),
        ("scikit-learn=1.0", "scikit-learn==1.0.*"),
        ("numpy==1.24", "numpy==1.24"),
        ("numpy=1.24=py311_0", "numpy==1.24.*"),
        ("numpy==1.24.1=py311_0", "numpy==1.24.1"),
        ("numpy=1.*", "numpy==1.*"),
        ("pandas>=1.5, <2", "pandas>=1.5,<2"),
        ("conda-forge::pandas", "pandas"),
        ("pytorch=2.1.0", "torch==2.1.0"),
        ("python=3.11.4", "python==3.11.4"),
    ],
)
def test_what_pip_knows_is_put_in_its_words(entry: str, requirement: str) -> None:
    assert pip_requirement(entry) == requirement


@pytest.mark.parametrize("entry", ["pip<=23.3", "setuptools", "libgomp", "cudatoolkit=11.3", "gcc_linux-64", "openssl"])
def test_what_is_no_python_library_is_left_out(entry: str) -> None:
    assert pip_requirement(entry) == ""
