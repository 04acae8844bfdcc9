package store

// Fold is for the test that makes the dictionary.
var Fold = fold
