"""What an app imports: say what was predicted and observed, follow the champion, hear of drift."""

from driftloop.artefacts.predictor import columns_of
from driftloop.client.alerts import alerts
from driftloop.client.failures import Failure
from driftloop.client.follower import Follower, follow
from driftloop.client.producer import Producer
from driftloop.client.succession import Loaded, Problem

__all__ = ["Failure", "Follower", "Loaded", "Problem", "Producer", "alerts", "columns_of", "follow"]
