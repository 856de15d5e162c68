import { describe, expect, test } from 'vitest'
import { readInitialPrompt, refuseInitialPrompt } from '../../src/domain/sessions/input/initial-prompt.ts'

describe('a URL is a URL', () => {
  test.each([
    ['https://example.com', 'https://example.com'],
    ['  http://example.com/a?b#c \n', 'http://example.com/a?b#c'],
    ['HTTP://EXAMPLE.COM', 'HTTP://EXAMPLE.COM'],
    ['http:example.com', 'http:example.com'],
    ['//example.com/a', 'https://example.com/a'],
    ['example.com', 'https://example.com'],
    ['example.com.', 'https://example.com.'],
    ['example.com/path', 'https://example.com/path'],
    ['example.com?q=1', 'https://example.com?q=1'],
    ['www.example.co.uk/a/b#c', 'https://www.example.co.uk/a/b#c'],
    ['example.com:8443/path', 'https://example.com:8443/path'],
    ['münchen.de', 'https://münchen.de'],
    ['xn--mnchen-3ya.de/x', 'https://xn--mnchen-3ya.de/x'],
    ['localhost', 'http://localhost'],
    ['localhost:3000', 'http://localhost:3000'],
    ['LOCALHOST:3000/a?b', 'http://LOCALHOST:3000/a?b'],
    ['app.localhost:3000', 'http://app.localhost:3000'],
    ['web:8080/health', 'http://web:8080/health'],
    ['127.0.0.1', 'http://127.0.0.1'],
    ['127.0.0.1:8080/a', 'http://127.0.0.1:8080/a'],
    ['[::1]:8080/a', 'http://[::1]:8080/a'],
    // Refused, but not passed to a model.
    ['file:///etc/passwd', 'file:///etc/passwd'],
    ['FILE:/etc/passwd', 'FILE:/etc/passwd'],
    ['javascript:alert(1)', 'javascript:alert(1)'],
    ["javascript:alert('a b')", "javascript:alert('a b')"],
    ['data:text/html,<p>two words</p>', 'data:text/html,<p>two words</p>'],
    ['javascript: alert(1)', 'javascript: alert(1)'],
    ['chrome://version', 'chrome://version'],
    ['view-source:http://example.com', 'view-source:http://example.com'],
    ['about:blank', 'about:blank'],
    ['mailto:a@example.com', 'mailto:a@example.com'],
    ['tel:123', 'tel:123'],
    ['gopher://example.com', 'gopher://example.com'],
    ['user:secret@example.com', 'user:secret@example.com'],
    ['169.254.169.254/latest/meta-data', 'http://169.254.169.254/latest/meta-data'],
    ['metadata.google.internal', 'https://metadata.google.internal'],
  ])('%s', (text, url) => {
    expect(readInitialPrompt(text)).toEqual({ kind: 'URL', url })
  })
})

describe('everything else is a task', () => {
  test.each([
    'find the cheapest flight',
    'Open example.com and tell me its title',
    'https://example.com find the price of the blue one',
    'example.com and then its imprint',
    'help',
    'Anmelden!',
    'a@example.com',
    '3.14',
    '10.0.0',
    '999.1.1.1',
    '127.1',
    'v1.2.3',
    'intranet/path',
    '.com',
    'a..com',
    '-a.com',
    'hello.w0rld!',
    '...',
    '/path',
    '查找最便宜的笔记本电脑',
    '打开example.com并查找价格',
    'what?',
    'File: download the report',
    'Data: collect every price',
  ])('%s', (text) => {
    expect(readInitialPrompt(text)).toEqual({ kind: 'TASK', prompt: text })
  })
})

describe('refused', () => {
  test.each([
    'file:///etc/passwd',
    'javascript:alert(1)',
    'chrome://version',
    'data:text/html,x',
    'about:blank',
    'ftp://example.com',
    'mailto:a@example.com',
    '169.254.169.254/latest/meta-data',
    'metadata.google.internal',
    '[fe80::1]:80/',
    'http://',
  ])('%s', (text) => {
    expect(refuseInitialPrompt(text)).toEqual(expect.any(String))
  })

  test.each(['example.com', 'localhost:3000', 'find the cheapest flight', 'http://127.0.0.1:1/'])('not %s', (text) => {
    expect(refuseInitialPrompt(text)).toBeNull()
  })
})
