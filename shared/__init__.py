"""What at least two services stand on: contracts, the questionnaire, and plumbing."""
