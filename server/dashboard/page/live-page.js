export class LivePage extends HTMLElement {
  show() {}
}
