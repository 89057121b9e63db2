"""The commands, one file each. They parse, call and print; what is true is decided in the rooms."""

#: The commands and what they do. A command is the function of its name in the module of its name.
COMMANDS = {
    "demo": "The whole flow on one real pruned layer: one table and a page.",
    "encode": "Encode the tensors of a file losslessly.",
    "merge": "Put the parts together that encode --shard wrote.",
    "verify": "Check every checksum of a container, and decode everything in it.",
    "decode": "Decode a container: bit for bit the weights that were encoded, pruned ones zero.",
    "inspect": "Print what a container holds.",
    "report": "Write one page about a model: bits against the bound, care bits, decoder, what was carried.",
    "generate": "Write a decoder in Verilog with golden vectors and a test bench that needs no Python.",
    "simulate": "Simulate a generated decoder and compare every word of every cycle with the golden model.",
    "synth": "Count a decoder's gates, prove its netlist, give area and clock.",
    "explore": "Measure many codes and decoders: overhead against gates.",
    "spmv": "Multiply each layer by a vector: simulated engines, processor, GPU where there is one.",
    "infer": "Run a pruned network on images, every layer through one simulated engine.",
    "codecs": "Store the same tensor in every format and compare.",
    "prune": "Prune a network in one shot and write the pruned weights.",
    "sparsity": "Count the connections that are kept, and those that are alive.",
    "reproduce": "Measure the paper's tables.",
}
