export interface Viewport {
  width: number
  height: number
}
