const GENERAL = `Look at, quantize and compare language-model weights in safetensors and GGUF files.

Usage: quantscope COMMAND PATH [OPTION]…

Commands:
  inspect     list the tensors of a model, with statistics on request
  quantize    write a model with its linear weights rounded to a format
  compare     measure the error of several formats side by side
  perplexity  run the model on a text, also with its weights in several formats
  recommend   find a format for each tensor within a budget
  train       train a small model's weights for a format
  imatrix     write llama.cpp's importance matrix of a model on a text
  formats     list the number formats

PATH is a .safetensors or .gguf file, a model.safetensors.index.json, or a model folder.

Common options:
  --json           one JSON document on standard output
  --threads N      worker threads (default and most: the machine's cores)
  --backend NAME   auto, wasm, webgpu or reference (default: auto)
  --quiet          no progress on standard error
  --help           help, also for one command: quantscope compare --help
  --version        the version

Exit codes: 0 done, 1 bad input, 2 wrong usage, 130 interrupted.
`;

const TENSOR_OPTION = `  --tensor GLOB          only tensors whose whole name matches; repeats. * is any characters,
                         dots included, ? one; [0-9], [!a], {q,k}_proj, {0..3}, !(norm|bias)`;
const SCALE_OPTION = `  --scale-dtype TYPE     f16, bf16 or f32: type scales are rounded to before codes are
                         chosen (default: f16)`;
const COMMON = `  --json                 one JSON document on standard output
  --threads N            worker threads (default and most: the machine's cores)
  --backend NAME         auto, wasm, webgpu or reference (default: auto)
  --quiet                no progress on standard error`;
const PERPLEXITY_OPTIONS = `  --text FILE            UTF-8 text (default: the model folder's eval.txt, else a bundled one)
  --context N            tokens per window (default: the model's positions, at most 2048)
  --windows K            only the first K windows (default: all)
  --per-document SEP     score each document by itself, SEP standing between them
  --token-ids FILE       score ids instead of a text: a JSON array, or an array of arrays
                         (windows as they are)
  --bos-every-window     begin every window with BOS, in the place of its first token, as
                         llama.cpp does (default: for Gemma; off: --no-bos-every-window)
  --save-logits FILE     write input_ids and logits as safetensors; one format at most
  --memory-budget MB     for hidden states in flight (default: 256)
  --no-cache             neither use scores of earlier runs nor keep any (kept in the cache
                         folder of the operating system, or in QUANTSCOPE_CACHE)`;
const CALIBRATION_OPTIONS = `  --calibration FILE     text for methods that need one (default: the model folder's
                         calibration.txt, else a bundled one); never the text that is scored
  --calibration-windows N, --calibration-context N
                         windows, and tokens per window (default: each method's own)
  --calibration-seed S   draw the windows from the whole text (default: the first ones)`;
const CALIBRATION_TEXT = `  --calibration FILE     UTF-8 text (default: the model folder's calibration.txt, else a bundled
                         one)`;
const IMATRIX_OPTION = `  --imatrix FILE         importance matrix of llama.cpp (GGUF or .dat) for +imatrix, in the
                         place of a calibration text`;
const RECIPE_OPTION = `  --recipe FILE          a format for each tensor, as quantscope recommend writes it`;
const PRESET_OPTION = `  --preset NAME          formats of a paper's table, as afpq-3bit; see quantscope formats`;
const PROTOCOLS = `A text is tokenized once and cut into windows of N tokens that do not overlap, the tail
dropped; with --per-document each document is a window, cut to N. Every token of a window
but the first is scored; perplexity is exp of the mean over all of them.`;
const DEFAULT_TENSORS = `Without --tensor: the weights of the linear layers, experts included; not embeddings,
norms, biases, routers, convolutions or heads. What is left out is said.`;

const COMMANDS: Readonly<Record<string, string>> = {
  inspect: `List the tensors of a model, grouped by layer.

Usage: quantscope inspect PATH [--tensor GLOB]… [--stats] [--group-size N|row] [--json]
       quantscope inspect PATH --check [--json]

${TENSOR_OPTION}
  --stats                read the weights: range, moments, zeros, NaN and Inf, quantiles
  --group-size N|row     also how lopsided groups of N columns are; implies --stats
                         (default with --stats: 128)
  --check                read the whole model and look for what is known to go wrong with
                         checkpoints; exit code 1 where an error is found
${COMMON}
`,
  quantize: `Write a model with its linear weights rounded to a format and widened to F32 again.

Usage: quantscope quantize PATH --format FORMAT --out FILE|DIR [--tensor GLOB]… [--json]
       quantscope quantize PATH --recipe FILE --out FILE|DIR [--json]

  --format FORMAT        for example int4-asym:g128; see quantscope formats
${RECIPE_OPTION}
  --out FILE|DIR         where to write; a folder for a model in several files
  --as LAYOUT            dequantized-f32 (default; the only layout of this version)
${TENSOR_OPTION}
${SCALE_OPTION}
${COMMON}

${DEFAULT_TENSORS}
`,
  compare: `Measure the error of several formats side by side, or of another checkpoint.

Usage: quantscope compare PATH --format FORMAT… [--tensor GLOB]… [PERPLEXITY OPTION]…
                          [--per-layer] [--json | --csv] [--html FILE]
       quantscope compare PATH --against OTHER [--format FORMAT]… [OPTION]…

  --format FORMAT        for example int4,afp4:g64; repeats; see quantscope formats. With a
                         method and a format of activations: int4:g128+gptq/int8-token;
                         outputs of layers are then measured as well
  --against OTHER        a checkpoint of the same model in any container and layout, such as
                         a GGUF or GPTQ file made of it: decoded weights are compared by the
                         names of tensors, all of them where there is no --format or --tensor
${RECIPE_OPTION}; repeats
${TENSOR_OPTION}
${SCALE_OPTION}
  --csv                  one line per format and tensor, comma separated
  --html FILE            also as one HTML file with tables and charts, which opens from disk
${PRESET_OPTION}
${CALIBRATION_OPTIONS}
${IMATRIX_OPTION}
${COMMON}

Each of these has the model run as well, for the perplexity in every format:
${PERPLEXITY_OPTIONS}
  --per-layer            also the perplexity with each tensor alone quantized

${DEFAULT_TENSORS}
`,
  perplexity: `Run the model on a text: its perplexity unquantized and in each format.

Usage: quantscope perplexity PATH [--format FORMAT]… [--tensor GLOB]… [OPTION]… [--json]

${PERPLEXITY_OPTIONS}
  --format FORMAT        for example int4,afp4:g64; repeats; see quantscope formats. With a
                         method and a format of activations: int4:g128+gptq/int8-token
${PRESET_OPTION}
${RECIPE_OPTION}; repeats
${CALIBRATION_OPTIONS}
${IMATRIX_OPTION}
${TENSOR_OPTION}
${SCALE_OPTION}
${COMMON}

${PROTOCOLS}
${DEFAULT_TENSORS}
`,
  recommend: `Find a format for each tensor within a budget, and measure the result beside the
uniform formats of its size.

Usage: quantscope recommend PATH --bits N --format FORMAT… [OPTION]… [--json]

One of these is the budget:
  --bits N               bits per weight of the tensors that are quantized
  --size SIZE            all weights of the model, as 8GB or 7.5GB (of 1024³ bytes)
  --bytes N              the same in bytes
  --max-kl X             a predicted KL divergence, nats per token
  --max-delta X          a predicted perplexity, above the unquantized model's

  --format FORMAT        to choose from, for example int3,int4,nf4:g64; repeats
  --tie qkv,gate-up      one format for queries, keys and values, and for gate and up
  --pin GLOB=FORMAT      a given format for tensors whose whole name matches; repeats
  --recipe FILE          write what is recommended, for --recipe of other commands
  --export PROGRAM=FILE  write it for llama-quantize, gptqmodel, compressed-tensors or mlx-lm;
                         what the program cannot express is said; repeats
  --sensitivity-windows N, --sensitivity-context N
                         what sensitivities are measured on (default: 2 windows of 256
                         tokens of the text that is scored)
  --calibration FILE, --calibration-seed S
                         another text for them, and windows drawn from the whole of it
  --random-ids           token ids drawn at random in its place
  --seed S               of the noise, and of these ids (default: 0)
${TENSOR_OPTION}
${SCALE_OPTION}
${COMMON}

What the result is measured on:
${PERPLEXITY_OPTIONS.replace(/ {2}--save-logits[^]*?most\n/, '')}

${DEFAULT_TENSORS}
`,
  train: `Train the linear weights of a small model for a format, against the model itself, and write
it with their values in the format (F32).

Usage: quantscope train PATH --format FORMAT --out FILE|DIR [--calibration FILE] [OPTION]…

  --format FORMAT        for example int2:g64; see quantscope formats
  --out FILE|DIR         where to write; a folder can be used as a model. Beside it, in
                         OUT.training, is the state until the output is there: a run that
                         was interrupted goes on from its last check
  --steps N, --batch N   steps, and windows of a step (default: 200 of 4)
  --rate R               learning rate of AdamW (default: 0.0002)
  --check-every N        steps between looks at the windows held back, a tenth of all; the
                         best weights are written (default: 20)
  --seed S               of the order of windows (default: 0)
  --large                also models of more than ten million weights
${CALIBRATION_TEXT}
  --calibration-windows N, --calibration-context N
                         windows, and tokens per window (default: 128 of 256)
  --calibration-seed S   draw the windows from the whole text (default: the first ones)
${TENSOR_OPTION}
${SCALE_OPTION}
${COMMON}

Models of blocks as Llama's. The text that perplexity scores by default is not trained on.
`,
  imatrix: `Write how much each input of a model's linear layers matters on a text: E[x²], in
the file that llama-quantize takes as its --imatrix.

Usage: quantscope imatrix PATH --output FILE [--calibration FILE] [OPTION]…

  --output FILE          where to write, for example imatrix.gguf
${CALIBRATION_TEXT}
  --calibration-windows N, --calibration-context N
                         windows, and tokens per window (default: 64 of 256)
  --calibration-seed S   draw the windows from the whole text (default: the first ones)
${COMMON}

All linear layers of blocks, routers included, experts with a count for each; embeddings and
heads are left out.
`,
  formats: `List the number formats.

Usage: quantscope formats [--json]

A format is written NAME[:GROUP][+OPTION]. GROUP is gN for N neighbouring input columns
of an output row, row, or tensor; g128 where nothing is said, and not to be chosen where
the format fixes it. Options search for a better range than a group's extremes: +mse
shrinks both ends alike, +clip each by itself.
`,
};

/** The help text of a command, or the general one. */
export function getHelp(command?: string): string {
  return command && Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : GENERAL;
}
