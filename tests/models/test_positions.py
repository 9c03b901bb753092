import pytest
import torch
from torch.nn import functional as F

from sam2lite.models.sam2lite.positions import (
    FourierFeatures,
    area_matrix,
    area_resample,
    bilinear_samples,
    grid_centres,
    resized_table,
)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_bilinear_samples_of_maps_equal_grid_sample() -> None:
    maps = [torch.randn(2, c, side, side, generator=generator()) for c, side in ((3, 7), (5, 11))]
    xy_norm_bpc = torch.rand(2, 40, 2, generator=generator())
    xy_norm_bpc[:, :4] = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.5, 0.02]])
    expected = [
        F.grid_sample(
            x_bchw,
            2.0 * xy_norm_bpc[:, None] - 1.0,
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )[:, :, 0]
        for x_bchw in maps
    ]
    samples_bpc = bilinear_samples(maps, xy_norm_bpc)
    expected_bpc = torch.cat(expected, dim=1).transpose(1, 2)
    torch.testing.assert_close(samples_bpc, expected_bpc, atol=2e-6, rtol=0)


def test_a_point_at_a_cell_centre_reads_that_cell() -> None:
    x_bchw = torch.arange(16.0).reshape(1, 1, 4, 4)
    samples_bpc = bilinear_samples([x_bchw], torch.tensor([[[2.5 / 4, 1.5 / 4]]]))
    assert samples_bpc.item() == pytest.approx(6.0)


@pytest.mark.parametrize(("out", "into"), [(15, 30), (15, 18), (60, 72), (60, 120), (7, 5), (4, 4)])
def test_area_matrix_equals_brute_force(out: int, into: int) -> None:
    # Cut every input cell into `out` equal pieces: each lies in one output cell as a whole.
    pieces = torch.arange(into * out)
    expected = torch.zeros(out, into)
    expected.index_put_((pieces // into, pieces // out), torch.tensor(1.0 / into), accumulate=True)
    torch.testing.assert_close(area_matrix(out, into), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("side", [24, 12, 9])
def test_area_resampling_equals_pytorch_where_it_divides_and_keeps_the_mean(side: int) -> None:
    x_bchw = torch.randn(1, 2, 24, 24, generator=generator())
    resampled = area_resample(x_bchw, side)
    torch.testing.assert_close(resampled.mean((2, 3)), x_bchw.mean((2, 3)), atol=1e-6, rtol=0)
    if 24 % side == 0:
        expected = F.interpolate(x_bchw, (side, side), mode="area")
        torch.testing.assert_close(resampled, expected, atol=1e-6, rtol=0)


def test_fourier_features_are_bounded_and_equal_for_all_networks_of_a_width() -> None:
    xy_norm = torch.rand(5, 3, 2, generator=generator())
    first, again = FourierFeatures(64)(xy_norm), FourierFeatures(64)(xy_norm)
    assert first.shape == (5, 3, 64)
    assert torch.equal(first, again)
    assert first.abs().max() <= 1.0
    torch.testing.assert_close(first.square().sum(-1), torch.full((5, 3), 32.0))  # sin^2 + cos^2


def test_fourier_features_tell_neighbouring_cells_apart() -> None:
    features_nc = FourierFeatures(128).grid(15)[0]
    distances = torch.cdist(features_nc, features_nc) + 1e9 * torch.eye(225)
    assert distances.min() > 0.5


def test_frequencies_are_stored_with_the_weights() -> None:
    source, target = FourierFeatures(64), FourierFeatures(64)
    source.frequencies.mul_(2.0)
    target.load_state_dict(source.state_dict())
    xy_norm = torch.rand(3, 2, generator=generator())
    assert torch.equal(source(xy_norm), target(xy_norm))


def test_grid_goes_row_by_row_through_cell_centres() -> None:
    expected = torch.tensor([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]])
    torch.testing.assert_close(grid_centres(2), expected)


def test_position_table_is_resized_only_where_it_must_be() -> None:
    table_1chw = torch.linspace(0.0, 1.0, 15).expand(1, 2, 15, 15)
    assert resized_table(table_1chw, 15) is table_1chw
    smaller = resized_table(table_1chw, 8)
    assert smaller.shape == (1, 2, 8, 8)
    assert (smaller[..., 1:] > smaller[..., :-1]).all()
