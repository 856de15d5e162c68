import { Kind, type DocumentNode, type FragmentDefinitionNode, type SelectionSetNode } from 'graphql'

/** A selection set, and the fragments around it. */
interface Source {
  readonly selectionSet: SelectionSetNode
  readonly within: Surrounding | null
}

interface Surrounding {
  readonly fragment: string
  readonly outer: Surrounding | null
}

/**
 * Number of comparisons that validation makes because fields of one response name must be mergeable: each of them is
 * compared with each other one, with everything below it, and so is each fragment with what it is spread beside. Leaf
 * fields without arguments are not counted, since comparing them is cheap. Above the limit counting stops, and the
 * number is Infinity.
 */
export function countComparisons(document: DocumentNode, limit: number): number {
  return new Comparisons(document, limit).count()
}

class Comparisons {
  readonly #document: DocumentNode
  readonly #limit: number
  readonly #fragments = new Map<string, FragmentDefinitionNode>()
  /** Fragments that were counted where they are spread. */
  readonly #counted = new Set<string>()
  #comparisons = 0
  /** Steps of counting: fragments that are spread in each other can double with each. */
  #steps = 0

  constructor(document: DocumentNode, limit: number) {
    this.#document = document
    this.#limit = limit
    for (const definition of document.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) this.#fragments.set(definition.name.value, definition)
    }
  }

  count(): number {
    for (const definition of this.#document.definitions) {
      if (definition.kind === Kind.OPERATION_DEFINITION)
        this.#below({ selectionSet: definition.selectionSet, within: null })
    }
    // An unused fragment is an error, but it is compared all the same.
    for (const [fragment, { selectionSet }] of this.#fragments) {
      if (!this.#counted.has(fragment)) this.#below({ selectionSet, within: { fragment, outer: null } })
    }
    return this.#isTooMuch ? Infinity : this.#comparisons
  }

  get #isTooMuch(): boolean {
    return this.#comparisons > this.#limit || this.#steps > STEPS_PER_COMPARISON * this.#limit
  }

  /** A list of work instead of recursion: selections can nest more deeply than the stack. */
  #below(root: Source): void {
    const open: Source[][] = [[root]]
    for (let sources = open.pop(); sources && !this.#isTooMuch; sources = open.pop()) {
      for (const fields of this.#merged(sources)) {
        this.#comparisons += pairs(fields.length)
        open.push(fields.filter(({ selectionSet }) => selectionSet.selections.length > 0))
      }
    }
  }

  /** Fields of each response name in selection sets that are merged. */
  #merged(sources: readonly Source[]): Iterable<Source[]> {
    const fields = new Map<string, Source[]>()
    const spread = new Set<string>()
    const open = [...sources]
    for (let source = open.pop(); source && !this.#isTooMuch; source = open.pop()) {
      for (const selection of source.selectionSet.selections) {
        this.#steps += 1
        if (selection.kind === Kind.INLINE_FRAGMENT) {
          open.push({ selectionSet: selection.selectionSet, within: source.within })
        } else if (selection.kind === Kind.FRAGMENT_SPREAD) {
          const name = selection.name.value
          const fragment = this.#fragments.get(name)
          if (!fragment || spread.has(name) || this.#isWithin(name, source.within)) continue
          spread.add(name)
          this.#counted.add(name)
          open.push({ selectionSet: fragment.selectionSet, within: { fragment: name, outer: source.within } })
        } else if (selection.selectionSet || selection.arguments?.length) {
          const name = (selection.alias ?? selection.name).value
          const field = { selectionSet: selection.selectionSet ?? NOTHING, within: source.within }
          const others = fields.get(name)
          if (others) others.push(field)
          else fields.set(name, [field])
        }
      }
    }
    this.#comparisons += pairs(sources.length + spread.size) - pairs(sources.length)
    return fields.values()
  }

  /** Fragments that spread themselves are an error, which validation reports. */
  #isWithin(name: string, surrounding: Surrounding | null): boolean {
    for (let around = surrounding; around; around = around.outer) {
      this.#steps += 1
      if (around.fragment === name) return true
    }
    return false
  }
}

/** Counting a step takes a small part of the time of a comparison. */
const STEPS_PER_COMPARISON = 5

const NOTHING: SelectionSetNode = { kind: Kind.SELECTION_SET, selections: [] }

const pairs = (count: number) => (count * (count - 1)) / 2
