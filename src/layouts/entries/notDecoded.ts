import type { StoredTensor } from '../../storage/container.js';
import type { ElementTypeName } from '../../storage/elementTypes.js';
import { text, presentParts } from './shared.js';
import type { FoundWeight, Layout, LayoutContext } from '../layout.js';

const INTEGERS: readonly ElementTypeName[] = ['I8', 'U8', 'I16', 'U16', 'I32', 'U32', 'I64', 'U64'];

/** A way of storing weights that is known by its tensors' names, and is not decoded. */
interface Family {
  readonly id: string;
  /** For people. */
  readonly label: string;
  /** Element types of its codes; absent where they may have any. */
  readonly types?: readonly ElementTypeName[];
  /** What names of codes end in. */
  readonly codes: readonly string[];
  /** Tensors that stand beside the codes, one of each list at least: without them it is something else. */
  readonly beside: readonly (readonly string[])[];
  /** Tensors that may stand beside them as well. */
  readonly optional?: readonly string[];
  /** What `quant_method` has to be, for names that others use for other things. */
  readonly method?: string;
  /** What nobody here can read: "codes of a trellis". */
  readonly holds: string;
}

const list = (names: string): readonly string[] => names.split(' ');

/**
 * Known by tensors of names that nobody else uses; names as the code that writes them has them:
 * optimum-quanto (QTensor, PackedTensor), exllamav2 and exllamav3 (loaders of linear layers), QTIP and QuIP#
 * (lib/linear), AQLM and SpQR (inference), HQQ (HQQLinear), Marlin (Layer), QQQ, compressed-tensors (Marlin24),
 * FP-Quant, transformers (HIGGS, EETQ, BitNet), torchao (safetensors, tensor_data_names).
 */
const FAMILIES: readonly Family[] = [
  {
    id: 'quanto',
    label: 'Quanto',
    codes: ['.weight._data', '.weight._data._data'],
    beside: [['.weight._scale']],
    optional: list('.weight._shift .weight._zeropoint .input_scale .output_scale'),
    holds: 'codes of optimum-quanto',
  },
  {
    id: 'exl2',
    label: 'EXL2',
    types: ['I32'],
    codes: ['.q_weight'],
    beside: [['.q_scale'], ['.q_groups']],
    optional: list('.q_scale_max .q_invperm .q_perm .q_group_map'),
    holds: 'groups of several widths in an order of their own',
  },
  {
    id: 'exl3',
    label: 'EXL3',
    types: ['I16'],
    codes: ['.trellis'],
    beside: [list('.suh .su'), list('.svh .sv')],
    optional: list('.scale .mcg .mul1'),
    holds: 'codes of a trellis over rotated weights',
  },
  {
    id: 'qtip',
    label: 'QTIP',
    types: ['I16'],
    codes: ['.trellis'],
    beside: [['.SU'], ['.SV']],
    optional: list('.tlut .rcp .tp_rank'),
    holds: 'codes of a trellis over rotated weights',
  },
  {
    id: 'quip-sharp',
    label: 'QuIP#',
    codes: ['.Qidxs'],
    beside: [['.SU'], ['.SV']],
    optional: list('.Wscale .codebook_id .A .B .scaleWH .ocs_dupe_inds'),
    holds: 'indexes into a lattice over rotated weights',
  },
  {
    id: 'aqlm',
    label: 'AQLM',
    types: INTEGERS,
    codes: ['.codes'],
    beside: [['.codebooks'], ['.scales']],
    holds: 'sums of entries of codebooks',
  },
  {
    id: 'hqq',
    label: 'HQQ',
    codes: ['.W_q'],
    beside: [list('.scale .meta')],
    optional: [
      ...list('.zero .zero_scale .nbits .group_size .shape .axis .packing .channel_wise .optimize'),
      ...list('.unpack_view_dtype .view_as_float .quant_scale .quant_zero .compute_dtype'),
      ...list('.offload_meta .encoded_state_dict .stores_quant_config .round_zero'),
    ],
    holds: 'codes packed in one of several orders',
  },
  {
    id: 'spqr',
    label: 'SpQR',
    types: ['I64'],
    codes: ['.dense_weights'],
    beside: [['.row_offsets'], ['.col_vals']],
    optional: ['.in_perm'],
    holds: '3-bit tiles with a sparse matrix of outliers',
  },
  {
    id: 'qqq',
    label: 'QQQ',
    types: ['I32'],
    codes: ['.B'],
    beside: [['.s_channel']],
    optional: list('.s_group .workspace'),
    holds: 'codes in the order of a GPU kernel',
  },
  {
    id: 'marlin',
    label: 'Marlin',
    types: ['I32'],
    codes: ['.B'],
    beside: [['.s']],
    optional: ['.workspace'],
    holds: 'codes in the order of a GPU kernel',
  },
  {
    id: 'marlin-24',
    label: 'Marlin 2:4',
    types: ['I32'],
    codes: ['.weight_packed'],
    beside: [['.scale_packed'], ['.meta']],
    optional: ['.weight_shape'],
    holds: 'half of the codes in the order of a GPU kernel',
  },
  {
    id: 'fp-quant',
    label: 'FP-Quant',
    codes: ['.qweight'],
    beside: [['.scales'], ['.forward_hadamard_matrix']],
    optional: list('.backward_hadamard_matrix .weight_global_scale .act_global_scale'),
    holds: '4-bit floats of rotated weights',
  },
  {
    id: 'higgs',
    label: 'HIGGS',
    types: ['I16'],
    codes: ['.weight'],
    beside: [['.scales'], ['.tables']],
    optional: ['.tables2'],
    holds: 'indexes into a table in the order of a GPU kernel',
  },
  {
    id: 'eetq',
    label: 'EETQ',
    types: ['I8'],
    codes: ['.weight'],
    beside: [['.weight_scales']],
    holds: 'codes in the order of a GPU kernel',
  },
  {
    id: 'bitnet',
    label: 'BitNet',
    types: ['U8'],
    codes: ['.weight'],
    beside: [['.weight_scale']],
    method: 'bitnet',
    holds: 'ternary weights whose scale multiplies in some models and divides in others',
  },
  {
    id: 'torchao',
    label: 'torchao',
    codes: ['._weight_qdata'],
    beside: [list('._weight_scale ._weight_scale_and_zero')],
    optional: [
      ...list('._weight_zero_point ._weight_act_pre_scale ._weight_act_scale ._weight_meta'),
      ...list('._weight_qzeros ._weight_compensation'),
    ],
    holds: 'codes whose packing the metadata name by a class of torchao',
  },
  {
    id: 'torchao-0.13',
    label: 'torchao',
    codes: ['.weight:qdata'],
    beside: [['.weight:scale']],
    optional: ['.weight:zero_point'],
    holds: 'codes whose packing the metadata name by a class of torchao',
  },
];

/** Integers with scales, of whatever layout: what is left when no other layout knows them. */
const ANY_INTEGERS: readonly Family[] = ['.weight', '.qweight', '.weight_packed'].map(
  (codes): Family => ({
    id: `integers${codes}`,
    label: 'an unknown layout',
    types: INTEGERS,
    codes: [codes],
    beside: [
      [
        ...list('.weight_scale .weight_scales .weight_scale_inv .scales .scale .scales_and_zeros'),
        ...list('.s1_scales .scale_packed'),
      ],
    ],
    optional: [
      ...list('.zeros .qzeros .scaled_zeros .weight_zero_point .zero_point .zeros_scales'),
      ...list('.g_idx .perm .s1_szeros .s2_scales .s2_zeros .s2_szeros'),
    ],
    holds: 'integers with scales',
  }),
);

/** The family's weight that these are the codes of; its other parts are those that are there. */
function findWeight(
  { label, beside, optional = [], method, holds }: Family,
  codes: StoredTensor,
  { find, quantization }: LayoutContext,
  module: string,
): FoundWeight | undefined {
  if (method !== undefined && text(quantization, 'quant_method') !== method) return undefined;
  const isThere = (end: string) => find(module + end) !== undefined;
  if (!beside.every((ends) => ends.some(isThere))) return undefined;
  const others = [...beside.flat(), ...optional].map((end) => [end, find(module + end)]);
  return {
    name: `${module}.weight`,
    // Of the codes, since nobody knows that of the weight.
    shape: codes.shape,
    parts: presentParts({ codes, ...(Object.fromEntries(others) as Record<string, StoredTensor>) }),
    parameters: {},
    label,
    refusal: `${holds}, which are not decoded`,
  };
}

function makeLayout(family: Family): Layout {
  return {
    id: family.id,
    codes: { types: family.types, endsIn: family.codes },
    find: (codes, context, module) => findWeight(family, codes, context, module),
    open: () => Promise.reject(new Error(`${family.label} is not decoded`)),
  };
}

/** Layouts that are known and refused by name. They are looked for before those that are decoded. */
export const NOT_DECODED: readonly Layout[] = FAMILIES.map(makeLayout);

/** What no other layout knows. */
export const UNKNOWN_INTEGERS: readonly Layout[] = ANY_INTEGERS.map(makeLayout);
