"""A network with a batch norm after every layer of weights: what the papers train, and count without."""

from __future__ import annotations

from xorweave.golden.network.layers import BatchNorm, Conv, Weighted
from xorweave.golden.network.network import Network


def with_batch_norms(network: Network, *, dense: bool = True) -> Network:
    """Return the network with a batch norm after every layer that has weights, the last one, too.

    Without `dense`, norms stand behind convolutions only, as in the published VGG networks, ResNets and MobileNetV2.
    The weights keep their names and shapes, so that masks of one network serve the other; what is alive is the same.
    The parameters of a norm are named after the layer, ``fc1.norm.weight`` and so on.
    """
    copy = Network(network.name, network.remark)
    stands_for: dict[str, str] = {}
    for node in network.nodes.values():
        place = copy.add(node.layer, *(stands_for[source] for source in node.inputs), name=node.name)
        if isinstance(node.layer, Weighted if dense else Conv):
            own = f"{node.name}.norm"
            norm = BatchNorm(node.shape[0], f"{own}.weight", f"{own}.bias", f"{own}.mean", f"{own}.variance")
            place = copy.add(norm, place, name=own)
        stands_for[node.name] = place
    copy.outputs = [stands_for[name] for name in network.outputs]
    return copy
