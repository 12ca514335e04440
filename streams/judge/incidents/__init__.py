"""The loss test, the incidents that follow from alarms, what is told of them, and whom a silence spares."""
