import pytest
import torch

from twofold.engine.device import computes_bf16


@pytest.mark.parametrize(("known", "wanted"), [({"amx_bf16": True}, True), ({"amx_bf16": False}, False), ({}, False)])
def test_a_cpu_computes_bfloat16_where_it_has_amx(
    monkeypatch: pytest.MonkeyPatch, known: dict[str, bool], wanted: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    assert computes_bf16(torch.device("cpu")) is wanted


def test_a_version_of_torch_that_does_not_tell_counts_as_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert computes_bf16(torch.device("cpu")) is False


@pytest.mark.parametrize("native", [True, False])
def test_a_gpu_that_emulates_it_does_not_count(monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native or including_emulation)
    assert computes_bf16(torch.device("cuda")) is native
