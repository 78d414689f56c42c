from tests.differential.case import Book

BOOK = Book()
