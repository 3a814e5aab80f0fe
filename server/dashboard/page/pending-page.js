export class PendingPage extends HTMLElement {
  show() {}
}
