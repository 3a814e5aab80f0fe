export class ScopesPage extends HTMLElement {
  show() {}
}
