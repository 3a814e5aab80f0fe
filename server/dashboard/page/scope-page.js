export class ScopePage extends HTMLElement {
  show() {}
}
