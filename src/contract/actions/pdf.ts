import { defineAction } from './action-kind.ts'
import { field, type EnumDefinition } from '../input/input-field.ts'
import { timeoutMs } from './target.ts'

const PAPER_FORMAT: EnumDefinition<'A3' | 'A4' | 'A5' | 'LETTER' | 'LEGAL' | 'TABLOID'> = {
  enumName: 'PaperFormat',
  description: 'A size of paper.',
  values: {
    A3: '297 × 420 mm.',
    A4: '210 × 297 mm.',
    A5: '148 × 210 mm.',
    LETTER: '8.5 × 11 in.',
    LEGAL: '8.5 × 14 in.',
    TABLOID: '11 × 17 in.',
  },
}

export const pdf = defineAction('PDF', 'PdfInput', 'Prints the page to a PDF, which is stored as an artifact.', {
  format: field.choiceOr('The paper.', PAPER_FORMAT, 'A4'),
  landscape: field.flagOr('True: broader than high.', false),
  printBackground: field.flagOr('True: with background colors and images.', true),
  scale: field.numberOr('Of what is printed.', 1, 0.1, 2),
  pageRanges: field.text('Page ranges: "1-3, 5". Default: all.', { max: 200 }),
  timeoutMs,
})
