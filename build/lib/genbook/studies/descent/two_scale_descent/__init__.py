"""Double descent in time, exact: a linear student of features that are learned on two time scales."""
