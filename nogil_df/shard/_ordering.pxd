cpdef list by_number(list elements, bint descending)
cpdef list by_score(dict scores)
