"""Mode connectivity: whether a straight path joins two networks once the units of one are put in another order."""
