"""Study: does a teacher close the gap to a camera whose damage nobody drew? See protocol.md."""
