import type { IssueCategory } from '../../../../ports/log/log-entry.ts'

/** Members of an issue's details that describe the problem, in the browser's words. */
const REASONS = [
  'corsError',
  'cookieExclusionReasons',
  'cookieWarningReasons',
  'resolutionStatus',
  'contentSecurityPolicyViolationType',
  'errorType',
  'reason',
  'clientHintIssueReason',
  'federatedAuthRequestIssueReason',
  'federatedAuthUserInfoRequestIssueReason',
  'emailVerificationRequestIssueReason',
  'partitioningBlobURLInfo',
  'elementAccessibilityIssueReason',
  'styleSheetLoadingIssueReason',
  'propertyRuleIssueReason',
  'sharedDictionaryError',
  'performanceIssueType',
  'issueType',
  'error',
  'type',
  'apiName',
] as const

const ISSUES: Readonly<Record<string, { category: IssueCategory; title: string }>> = {
  BlockedByResponseIssue: { category: 'CROSS_ORIGIN_EMBEDDER_POLICY', title: 'A response was blocked' },
  ContentSecurityPolicyIssue: {
    category: 'CONTENT_SECURITY_POLICY',
    title: 'The Content Security Policy was violated',
  },
  CookieIssue: { category: 'COOKIE', title: 'A cookie has a problem' },
  CookieDeprecationMetadataIssue: { category: 'COOKIE', title: 'Third-party cookies were used' },
  CorsIssue: { category: 'CORS', title: 'A cross-origin request was blocked' },
  DeprecationIssue: { category: 'DEPRECATION', title: 'A deprecated feature is used' },
  ElementAccessibilityIssue: { category: 'FORM', title: 'An element is not accessible' },
  GenericIssue: { category: 'OTHER', title: 'The page has a problem' },
  HeavyAdIssue: { category: 'HEAVY_AD', title: 'An ad used too many resources' },
  LowTextContrastIssue: { category: 'LOW_TEXT_CONTRAST', title: 'Text has too little contrast' },
  MixedContentIssue: { category: 'MIXED_CONTENT', title: 'A secure page asked for an insecure resource' },
  NavigatorUserAgentIssue: { category: 'DEPRECATION', title: 'The page reads the user agent' },
  PermissionElementIssue: { category: 'PERMISSION', title: 'A permission element has a problem' },
  QuirksModeIssue: { category: 'QUIRKS_MODE', title: 'The document is rendered in quirks mode' },
  SelectivePermissionsInterventionIssue: { category: 'PERMISSION', title: 'An API was denied to an ad' },
  SharedArrayBufferIssue: { category: 'CROSS_ORIGIN_EMBEDDER_POLICY', title: 'A SharedArrayBuffer is not isolated' },
  StylesheetLoadingIssue: { category: 'OTHER', title: 'A style sheet could not be loaded' },
}

/** Category and text of an issue, for people. */
export function describeIssue(code: string, details: Readonly<Record<string, unknown>>) {
  const { category, title } = ISSUES[code] ?? { category: 'OTHER', title: wordsOf(code.replace(/Issue$/, '')) }
  const status = details['corsErrorStatus']
  const reported = typeof status === 'object' && status !== null ? { ...details, ...status } : details
  const reasons = REASONS.flatMap((name) => (reported as Record<string, unknown>)[name] ?? []).filter(
    (reason) => typeof reason === 'string' && reason !== '',
  ) as string[]
  const { errorType, violatedDirective, isWarning, isLimitedQuirksMode } = details
  const isOfForm = typeof errorType === 'string' && /^Form|Autocomplete|Label/.test(errorType)
  const parts = [
    ...(typeof violatedDirective === 'string' ? [violatedDirective] : []),
    ...reasons.map((reason) => wordsOf(reason).toLowerCase()),
    ...(isLimitedQuirksMode === true ? ['limited quirks mode'] : []),
    ...(isWarning === true ? ['a warning only'] : []),
  ]
  const text = parts.length > 0 ? `${title}: ${parts.join(', ')}.` : `${title}.`
  return {
    code: code === 'GenericIssue' && typeof errorType === 'string' ? errorType : code,
    category: isOfForm ? ('FORM' as const) : category,
    message: text,
  }
}

/** Splits "MissingAllowOriginHeader" into words. */
const wordsOf = (name: string) =>
  name
    .replace(/^k(?=[A-Z])/, '')
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
