import { createVuetify, type ThemeDefinition } from 'vuetify'
import { aliases, mdi } from 'vuetify/iconsets/mdi-svg'
import { preferences } from '@/shared/storage/preferences'

const light: ThemeDefinition = {
  dark: false,
  colors: {
    background: '#f6f8fa',
    surface: '#ffffff',
    'surface-light': '#f0f2f5',
    'surface-variant': '#3d444d',
    'on-surface-variant': '#ffffff',
    primary: '#1f5fbf',
    secondary: '#57606a',
    success: '#1a7f37',
    error: '#c21c2c',
    warning: '#8a5a00',
    info: '#0b66c3',
    neutral: '#59636e',
    log: '#ffffff',
    'on-log': '#1f2328',
  },
  variables: { 'border-color': '#1f2328', 'border-opacity': 0.14, 'medium-emphasis-opacity': 0.72 },
}

const dark: ThemeDefinition = {
  dark: true,
  colors: {
    background: '#0d1117',
    surface: '#151b23',
    'surface-light': '#1f2630',
    'surface-variant': '#c9d1d9',
    'on-surface-variant': '#0d1117',
    primary: '#6ea8fe',
    'on-primary': '#0a1a33',
    secondary: '#9da7b3',
    success: '#4cc366',
    error: '#ff7b72',
    'on-error': '#2d0a0c',
    warning: '#e3b341',
    info: '#79c0ff',
    neutral: '#9da7b3',
    log: '#0d1117',
    'on-log': '#e6edf3',
  },
  variables: { 'border-color': '#f0f6fc', 'border-opacity': 0.16, 'medium-emphasis-opacity': 0.76 },
}

/** This page's CSP nonce; browsers hide it from getAttribute. */
function pageNonce(): string | undefined {
  return document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce || undefined
}

export function createTheme() {
  return createVuetify({
    icons: { defaultSet: 'mdi', aliases, sets: { mdi } },
    theme: {
      defaultTheme: preferences.theme,
      cspNonce: pageNonce(),
      themes: { light, dark },
    },
    defaults: {
      VBtn: { variant: 'text', density: 'comfortable', rounded: 'md' },
      VCard: { variant: 'flat', border: true, rounded: 'lg' },
      VTextField: { variant: 'outlined', density: 'compact', color: 'primary', hideDetails: 'auto' },
      VTextarea: { variant: 'outlined', density: 'compact', color: 'primary', hideDetails: 'auto' },
      VSelect: { variant: 'outlined', density: 'compact', color: 'primary', hideDetails: 'auto' },
      VAlert: { variant: 'tonal', density: 'compact' },
      VTooltip: { openDelay: 300 },
    },
  })
}
