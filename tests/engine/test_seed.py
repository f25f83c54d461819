"""Seeds: one number for each of (seed, purpose, epoch), the same on every machine."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from twofold.engine.seed import numpy_generator, seed_for, torch_generator

PURPOSE = st.text(st.characters(codec="ascii", exclude_characters="/"), max_size=10)
TRIPLE = st.tuples(st.integers(0, 2**40), PURPOSE, st.integers(0, 10**6))


def test_the_seed_of_a_draw_never_changes() -> None:
    assert seed_for(7, "shuffle", 3) == 1607239670037233798


@given(TRIPLE, TRIPLE)
def test_other_seeds_purposes_and_epochs_give_other_seeds(one: tuple[int, str, int], two: tuple[int, str, int]) -> None:
    assert (seed_for(*one) == seed_for(*two)) == (one == two)
    assert 0 <= seed_for(*one) < 2**63


def test_streams_of_two_purposes_or_epochs_differ() -> None:
    triples = [(0, "shuffle", 1), (0, "noise", 1), (0, "shuffle", 2), (1, "shuffle", 1)]
    torch_draws = [torch.rand(4, generator=torch_generator(*triple)) for triple in triples]
    numpy_draws = [numpy_generator(*triple).random(4) for triple in triples]
    for i in range(len(triples)):
        for j in range(i):
            assert not torch.equal(torch_draws[i], torch_draws[j])
            assert not np.array_equal(numpy_draws[i], numpy_draws[j])


def test_a_stream_can_be_drawn_again_and_leaves_the_global_state_alone() -> None:
    state = torch.random.get_rng_state()
    assert torch.equal(
        torch.rand(3, generator=torch_generator(5, "x")), torch.rand(3, generator=torch_generator(5, "x"))
    )
    assert np.array_equal(numpy_generator(5, "x").random(3), numpy_generator(5, "x").random(3))
    assert torch.equal(state, torch.random.get_rng_state())
