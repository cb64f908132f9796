"""Container images that anybody can copy from: each meets the contract, and nothing else of this project."""
